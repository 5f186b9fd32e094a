"""Sizes of outputs that the fields of a node, or what flows in, say plainly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from blox.schema import Op
from blox.shapes.values import Value as Known

from .indexing import At
from .samples import Number, freely
from .sizes import Dim, Size, numbered
from .trace import Stored, Trace
from .trees import Tree, made, symbols, value_of
from .values import Value

_MANY = 8
"""Expressions of one node of which pairs and triples are tried."""
_SAMPLES = 48
"""Choices of numbers for which two expressions are compared."""


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


def near(node: Written, size: int) -> Iterator[Tree]:
    """The expressions that are a size, then parts and multiples of one, then two of them as
    a convolution, a pooling or a reshape joins sizes: `image // patch`; then two and a
    number, `8 * image ** 2`, and three, `(image - kernel) // stride + 1`."""
    given = {str(n.tree): n.tree for n in node.numbers() if isinstance(n, Size)}
    numbers = sorted({n for n in numbers_in(node.fields) if type(n) is int and n > 0})
    trees = [*given.values()]
    values = [(tree, value_of(tree)) for tree in trees]
    yield from (tree for tree, value in values if value == size)
    for tree, value in values:
        if size > 0 and value > size and value % size == 0:
            yield made("//", tree, value // size)
        elif 0 < value < size and size % value == 0:
            yield made("*", size // value, tree)
    others = [*trees, *numbers][:_MANY]
    for a, b in product(trees[:_MANY], others):
        yield from (tree for tree in _joined(a, b) if value_of(tree) == size)
    for a, b in product(trees[:_MANY], repeat=2):
        area = made("**", a, 2) if a is b else made("*", a, b)
        if 0 < value_of(area) < size and size % value_of(area) == 0:
            yield made("*", size // value_of(area), area)
    for a, b, c in product(trees[:_MANY], others, others):
        if value_of(c) > 1 and (value_of(a) - value_of(b)) // value_of(c) + 1 == size:
            yield made("+", made("//", made("-", a, b), c), 1)


def _joined(a: Tree, b: Tree) -> Iterator[Tree]:
    if a is b:
        yield made("**", a, 2)
        return
    yield made("*", a, b)
    yield made("+", made("-", a, b), 1)
    if value_of(b) != 0:
        yield made("//", a, b)
        yield made("neg", made("//", made("neg", a), b))


def shorter(node: Written, size: Size) -> Any:
    """A size by a plainer expression than JAX's own, which bounds each step of a
    convolution by 0; as it is where there is none."""
    samples = [freely(seed) for seed in range(_SAMPLES)]
    wanted = [value_of(size.tree, number) for number in samples]
    pairs = [(n, w) for n, w in zip(samples, wanted, strict=True) if w > 0]
    if len(pairs) < _MANY:
        return size
    for tree in near(node, int(size)):
        if all(_gives(tree, number, wanted) for number, wanted in pairs):
            return numbered(int(size), tree)
    return size


def _gives(tree: Tree, number: Number, wanted: Any) -> bool:
    try:
        return bool(value_of(tree, number) == wanted)
    except ZeroDivisionError:
        return False


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


def is_empty(outputs: Sequence[Known | None]) -> bool:
    """True of a sample that says nothing: a kernel that is larger than its image."""
    return any(0 in (known.shape or ()) for known in outputs if known is not None)


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


def is_bounded(size: Any) -> bool:
    """True of a size whose expression has a maximum."""
    return isinstance(size, Size) and _has(size.tree, "max")


def _has(tree: Tree, name: str) -> bool:
    return isinstance(tree, tuple) and (
        tree[0] == name or any(_has(part, name) for part in tree[1:])
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
