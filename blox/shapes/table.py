"""Shapes and dtypes of every node of a model, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from blox.schema import Graph, Report
from blox.schema.resolve.program import Instance

from .check import Checker, tracing
from .symbolic import Symbols, variables
from .values import Value

Size = int | str | None
"""A number, an expression of dims as text (`2*seq`), or None where it varies."""


@dataclass(frozen=True, slots=True)
class Known:
    """What holds of an array in every call of its function: None where it varies."""

    shape: tuple[Size, ...] | None
    dtype: str | None

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)


Table = dict[Instance, dict[str, tuple[Known | None, ...]]]
"""By instance of the Program, and input or node: its outputs, None for absent ones."""


def shape_table(graph: Graph) -> Table:
    """What is known of every input and node of every function that entries run.

    A model in float32 with all optional inputs, not in training; sizes are symbolic, so
    that what stands here holds for all that the bounds of dims allow. Nothing of JAX is
    in it.

    Raises:
        SpecError: the Graph is not sound.
    """
    program = graph.program()
    checker = Checker(program, Report())
    found: Table = {}
    with tracing(program):
        checker.infer()
    for inferred in checker.engine.all_inferred():
        known = found.setdefault(inferred.instance, {})
        for name, values in inferred.values.items():
            new = tuple(_known(value, checker) for value in values)
            old = known.get(name)
            known[name] = new if old is None else _common(old, new)
    return found


def _known(value: Value | None, checker: Checker) -> Known | None:
    if value is None:
        return None
    dtype = None if value.dtype is None else str(value.dtype)
    if value.shape is None:
        return Known(None, dtype)
    return Known(tuple(_size(size, checker.symbols) for size in value.shape), dtype)


def _size(size: Any, symbols: Symbols) -> Size:
    if type(size) is int:
        return size
    follows_a_fault = not variables(size).isdisjoint(symbols.unknown)
    return None if follows_a_fault else symbols.shown(str(size))


def _common(
    old: tuple[Known | None, ...], new: tuple[Known | None, ...]
) -> tuple[Known | None, ...]:
    """What two calls of a function have in common."""

    def both(a: Known | None, b: Known | None) -> Known | None:
        if a is None or b is None or a == b:
            return a or b
        shape: tuple[Size, ...] | None = None
        if a.shape is not None and b.shape is not None and a.rank == b.rank:
            shape = tuple(
                x if x == y else None for x, y in zip(a.shape, b.shape, strict=True)
            )
        return Known(shape, a.dtype if a.dtype == b.dtype else None)

    return tuple(both(a, b) for a, b in zip(old, new, strict=True))
