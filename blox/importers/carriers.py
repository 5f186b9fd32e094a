"""Values that flow into a function only because it speaks of one of their sizes."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .regions import steps_in
from .sizes import is_symbolic, parsed
from .trace import Param, Region, Value


def carriers(
    region: Region, inputs: Iterable[Value], before: Sequence[Value]
) -> list[Value]:
    """Values of the caller that have the dims which the region needs and its inputs lack.

    Args:
        inputs: what flows in anyway.
        before: the values of the caller, in order.
    """
    known = {text for value in inputs for text in _axes(value)}
    found: list[Value] = []
    for name in dict.fromkeys(_needed(region, known)):
        if name in known:
            continue
        carrier = next((v for v in before if name in set(_axes(v))), None)
        if carrier is not None:
            found.append(carrier)
            known |= set(_axes(carrier))
    return found


def _axes(value: Value) -> Iterator[str]:
    """The sizes of a value that only a call decides, as texts."""
    if isinstance(value, Param) or value.dtype == "key":
        return
    for size in value.shape:
        if not isinstance(size, int):
            yield ast.unparse(parsed(size))


def _needed(region: Region, known: set[str]) -> Iterator[str]:
    """The names of dims in its attributes, but in expressions that are known."""
    for step in steps_in(region):
        for size in _sizes([step.attributes, step.operands]):
            yield from _names(parsed(size), known)


def _sizes(tree: Any) -> Iterator[Any]:
    """The symbolic sizes in attributes."""
    if isinstance(tree, slice):
        yield from _sizes([tree.start, tree.stop, tree.step])
    elif isinstance(tree, (list, tuple)):
        for part in tree:
            yield from _sizes(part)
    elif isinstance(tree, dict):
        yield from _sizes(list(tree.values()))
    elif is_symbolic(tree):
        yield tree


def _names(tree: ast.expr, known: set[str]) -> Iterator[str]:
    if ast.unparse(tree) in known:
        return
    if isinstance(tree, ast.Name):
        yield tree.id
    for part in ast.iter_child_nodes(tree):
        if isinstance(part, ast.expr) and not (
            isinstance(tree, ast.Call) and part is tree.func
        ):
            yield from _names(part, known)
