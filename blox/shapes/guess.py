"""What a node at fault would give, if what it takes were as it expects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from blox.schema.resolve.program import Arg

from .kinds import Kind
from .values import Value, Values

Given = tuple[Value | None, ...]
"""What flows in, by the numbers of the sources of a kind."""


def mended(kind: Kind, given: Given) -> Kind | None:
    changes: dict[str, Any] = {}
    for field, mark in kind.op.fields().sizes:
        arg = kind.args.get(mark.of)
        if not isinstance(arg, Arg) or arg.source is None:
            continue
        value, axis = given[int(arg.source)], kind.op.value_of(mark.axis)
        if value is None or value.shape is None or type(axis) is not int:
            continue
        if -len(value.shape) <= axis < len(value.shape):
            changes[field] = value.shape[axis]
    if not changes or not isinstance(kind.leaves, dict):
        return None
    op = kind.op.unchecked_copy(**changes)
    leaves = {n: leaf for n, leaf in op.stored().items() if n in kind.leaves}
    if any(None in leaf.shape for leaf in leaves.values()):
        return None
    return replace(kind, op=op, leaves=leaves)


def alike(given: Given, values: Values) -> Given:
    """Operands whose axes agree from the last on, with unknown sizes where not."""
    arrays = [v for v in given if v is not None and v.is_array]
    seen: dict[int, set[str]] = {}
    for value in arrays:
        for axis, size in enumerate(reversed(value.shape or ())):
            seen.setdefault(axis, set()).add(str(size))
    shared = {
        axis: values.symbols.opaque(unknown=True)
        for axis, sizes in seen.items()
        if len(sizes - {"1"}) > 1
    }

    def shared_sizes(value: Value | None) -> Value | None:
        if value is None or not value.is_array:
            return value
        shape = list(value.shape or ())
        for axis, size in shared.items():
            if axis < len(shape):
                shape[-1 - axis] = size
        return values.array(shape, value.dtype, value.weak)

    return tuple(map(shared_sizes, given))


def rank_only(value: Value | None, values: Values) -> Value | None:
    """A value of which rank and dtype stay known."""
    if value is None or not value.is_array:
        return value
    shape = [values.symbols.opaque(unknown=True) for _ in value.shape or ()]
    return values.array(shape, value.dtype, value.weak)
