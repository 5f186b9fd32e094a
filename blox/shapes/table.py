"""Shapes and dtypes of every node of a model, as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from blox.schema import Graph, Report
from blox.schema.known import Known, Size, Table, Values
from blox.schema.resolve.places import Route
from blox.schema.resolve.program import literal_dtype

from .check import NARROW, Checker, tracing
from .inferred import Inferred
from .kinds import Lane
from .symbolic import Symbols, variables
from .values import Value


def common_table(graph: Graph) -> Table:
    """What holds of every input and node, however the model is called.

    Whichever floating type the model has, which is `"float"` here, whichever optional
    inputs are there, however many axes `...` stands for: what differs is None.

    Raises:
        SpecError: the Graph is not sound.
    """
    program = graph.program()
    checker = Checker(program, Report())
    with tracing(program):
        checker.infer(Lane(), every=True)
        count = len(checker.engine.all_inferred())
        checker.infer(NARROW, every=True)
    found = list(checker.engine.all_inferred())
    table = tabled(found[:count], checker.symbols)
    narrow = tabled(found[count:], checker.symbols)
    return {
        instance: {
            name: _in_both(values, narrow.get(instance, {}).get(name))
            for name, values in known.items()
        }
        for instance, known in table.items()
    }


def known_at(graph: Graph, entry: str, route: Route) -> Values:
    """What is known of the inputs and nodes of a function, as one call of it runs.

    Its floating type is `"float"`.

    Args:
        graph: a sound one.
        entry: from which the call is reached.
        route: the nodes that lead there, each with the number of its function and the
            copy.
    """
    program = graph.program()
    checker = Checker(program, Report())
    found: list[Values] = []
    with tracing(program):
        for lane in (Lane(), NARROW):
            at: Inferred | None = checker.infer(lane).get(entry)
            for name, number, copy in route:
                runs = at.runs.get(name) if at is not None else None
                calls = runs[number].calls if runs else ()
                at = calls[min(copy, len(calls) - 1)] if calls else None
            if at is not None:
                known = tabled([at], checker.symbols)[at.instance]
                found.append({n: _typed(v, at.values[n]) for n, v in known.items()})
    if len(found) < 2:
        return {}
    wide, narrow = found
    return {n: _in_both(values, narrow.get(n)) for n, values in wide.items()}


def _typed(
    known: tuple[Known | None, ...], values: tuple[Value | None, ...]
) -> tuple[Known | None, ...]:
    """With the dtypes that numbers would have as arrays."""

    def typed(one: Known | None, value: Value | None) -> Known | None:
        if one is None or value is None or value.literal is None:
            return one
        boolean = isinstance(value.literal, bool)
        dtype = "bool" if boolean else literal_dtype(value.literal, None)
        return Known(one.shape, dtype)

    return tuple(typed(one, value) for one, value in zip(known, values, strict=True))


def tabled(found: Iterable[Inferred], symbols: Symbols) -> Table:
    """What all calls of each function have in common."""
    table: Table = {}
    seen: dict[Value | None, Known | None] = {None: None}
    for inferred in found:
        known = table.setdefault(inferred.instance, {})
        lists = inferred.instance.lists
        for name, values in inferred.values.items():
            for value in values:
                if value not in seen:
                    seen[value] = _known(value, symbols)
            new = tuple([seen[value] for value in values])
            if name in lists:
                new = _with_copies(new, lists[name])
            old = known.get(name)
            known[name] = new if old is None else _common(old, new)
    return table


def _with_copies(
    known: tuple[Known | None, ...], copies: Mapping[int, int]
) -> tuple[Known | None, ...]:
    """With how many arrays there are in those that are lists."""
    return tuple(
        one if one is None or i not in copies else replace(one, copies=copies[i])
        for i, one in enumerate(known)
    )


def _known(value: Value | None, symbols: Symbols) -> Known | None:
    if value is None:
        return None
    dtype = None if value.dtype is None else str(value.dtype)
    if value.shape is None:
        return Known(None, dtype)
    return Known(tuple(_size(size, symbols) for size in value.shape), dtype)


def _in_both(
    wide: tuple[Known | None, ...], narrow: tuple[Known | None, ...] | None
) -> tuple[Known | None, ...]:
    """What a model in float32 and one in bfloat16 have in common."""
    if narrow is None or len(wide) != len(narrow):
        return (None,) * len(wide)
    found = []
    for both, a, b in zip(_common(wide, narrow), wide, narrow, strict=True):
        floats = a and b and (a.dtype, b.dtype) == ("float32", "bfloat16")
        found.append(replace(both, dtype="float") if both and floats else both)
    return tuple(found)


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
        dtype = a.dtype if a.dtype == b.dtype else None
        return Known(shape, dtype, a.copies if a.copies == b.copies else None)

    return tuple(both(a, b) for a, b in zip(old, new, strict=True))
