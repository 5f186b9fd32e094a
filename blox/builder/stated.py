"""Sizes of outputs that the fields of a node, or what flows in, say plainly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from blox.schema import Op
from blox.shapes.values import Value as Known

from .array_methods import At
from .samples import Number
from .sizes import Dim, Size
from .trace import Stored, Trace
from .trees import Tree, made, symbols, value_of
from .values import Value

_MANY = 8
"""Expressions of one node of which pairs are tried."""


@dataclass(frozen=True, slots=True)
class Written:
    """A node as far as its sizes go.

    Args:
        op: with numbers for attributes.
        fields: as the user wrote them.
        values: what flows in, by the order of its arguments.
        stored: the arrays that it keeps.
    """

    trace: Trace
    op: Op
    fields: Mapping[str, Any]
    values: Sequence[Value]
    stored: Mapping[str, Stored]

    def numbers(self) -> Iterator[Any]:
        """Every size that an expression may stand behind."""
        for value in self.values:
            yield from value.sizes or ()
        yield from numbers_in(self.fields)
        for stored in self.stored.values():
            yield from stored.sizes


def near(trees: Sequence[Tree], size: int) -> Iterator[Tree]:
    """The expressions that are a size, then parts and multiples of one, then two of them as
    a convolution, a pooling or a reshape joins sizes: `image // patch`."""
    values = [(tree, value_of(tree)) for tree in trees]
    yield from (tree for tree, value in values if value == size)
    for tree, value in values:
        if size > 0 and value > size and value % size == 0:
            yield made("//", tree, value // size)
        elif 0 < value < size and size % value == 0:
            yield made("*", size // value, tree)
    for a, b in product(trees[:_MANY], repeat=2):
        yield from (tree for tree in _joined(a, b) if value_of(tree) == size)


def _joined(a: Tree, b: Tree) -> Iterator[Tree]:
    if a is b:
        yield made("**", a, 2)
        return
    yield made("*", a, b)
    yield made("+", made("-", a, b), 1)
    if value_of(b) != 0:
        yield made("//", a, b)
        yield made("neg", made("//", made("neg", a), b))


def explains(
    tree: Tree,
    tried: Sequence[tuple[Number, Sequence[Known | None]]],
    output: int,
    axis: int,
) -> bool:
    """True where an expression gives the size of an axis in all samples."""
    for number, outputs in tried:
        known = outputs[output]
        if known is None or known.shape is None or len(known.shape) <= axis:
            return False
        size = known.shape[axis]
        try:
            if type(size) is not int or value_of(tree, number) != size:
                return False
        except ZeroDivisionError:
            return False
    return bool(tried)


def is_constant(
    size: int,
    tried: Sequence[tuple[Number, Sequence[Known | None]]],
    output: int,
    axis: int,
) -> bool:
    """True where the size of an axis is the same in all samples."""
    shapes = [k.shape for _, outputs in tried if (k := outputs[output]) is not None]
    found = {s[axis] if s is not None and len(s) > axis else None for s in shapes}
    return found == {size}


def keep_leading(sizes: list[Any], given: tuple[Any, ...] | None) -> None:
    """Leading axes that are as those of the first operand."""
    for axis, (size, before) in enumerate(zip(sizes, given or (), strict=False)):
        if isinstance(size, Dim) or isinstance(before, Dim):
            if size != before:
                return
        elif size != before:
            return
        elif type(size) is int:
            sizes[axis] = before


def fill(sizes: list[Any], node: Written, output: str) -> None:
    """Sizes that a field of the op says an output has."""
    fields = node.op.fields()
    shape = node.fields.get(fields.shapes.get(output, "")) or []
    for axis in range(1, min(len(sizes), len(shape)) + 1):
        _state(sizes, -axis, shape[-axis])
    for name, mark in fields.sizes:
        axis = node.op.value_of(mark.axis)
        if mark.of == output and not mark.each and type(axis) is int:
            _state(sizes, axis, node.fields.get(name))


def _state(sizes: list[Any], axis: int, given: Any) -> None:
    known = -len(sizes) <= axis < len(sizes) and type(sizes[axis]) is int
    if known and isinstance(given, Size) and given == sizes[axis]:
        sizes[axis] = given


def is_rooted(tree: Tree) -> bool:
    """True where an attribute of the Graph stands behind an expression."""
    return any(
        s.trace is None or (not s.is_dim and is_rooted(s.trace.bindings[s]))
        for s in symbols(tree)
    )


def numbers_in(field: Any) -> Iterator[Any]:
    if isinstance(field, Mapping):
        for part in field.values():
            yield from numbers_in(part)
    elif isinstance(field, (list, tuple)):
        for part in field:
            yield from numbers_in(part)
    elif isinstance(field, At):
        for part in field.parts:
            if isinstance(part, slice):
                yield from (part.start, part.stop, part.step)
            else:
                yield part
    else:
        yield field


def mapped(field: Any, size: Callable[[Any], Any]) -> Any:
    if isinstance(field, list):
        return [mapped(part, size) for part in field]
    return size(field)
