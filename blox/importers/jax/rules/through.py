"""Ops along axes that are written whole: the layout of what they are given passes through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from blox.schema import op_class

from ...trace import Size, Value
from ...views import View, same
from ..lower import Lowering


def through(
    lower: Lowering,
    op: str,
    operands: Mapping[str, View],
    attributes: Mapping[str, Any],
    shape: Sequence[Size],
    dtype: str,
) -> View | None:
    """What an op of one array gives that goes along `axis`, or reduces it; None where it is
    another op, or nothing is to be gained."""
    if list(operands) != ["x"] or attributes.get("axis") is None:
        return None
    x = lower.current(operands["x"])
    axes = _axes(attributes["axis"], x.ndim)
    if not axes or x.is_number:
        return None
    cls = op_class(op)
    assert cls is not None
    reduces = "keepdims" in cls.model_fields
    alike = len(shape) == x.ndim and all(map(same, shape, x.shape))
    if not reduces and not alike:
        return None
    seen = lower.along(x, axes)
    source = seen.source
    assert isinstance(source, Value)
    own = [a for i in axes if (a := seen.axes[i]) is not None]
    said = [a - source.ndim for a in (sorted(own) if reduces else own)]
    rest = {n: a for n, a in attributes.items() if n != "keepdims"}
    several = isinstance(attributes["axis"], (list, tuple))
    keep = several and (len(said) > 1 or not reduces)
    given = {**rest, "axis": said if keep else said[0]}
    if not reduces:
        made = lower.emit(op, {"x": source}, given, source.shape, dtype)
        return View(made.source, seen.axes, tuple(shape), dtype)
    left = [a for a in range(source.ndim) if a not in own]
    made = lower.emit(op, {"x": source}, given, [source.shape[a] for a in left], dtype)
    lower.keep_axes(made, op, source, own, given)
    places = [left.index(a) if a in left else None for a in seen.axes]
    if not attributes.get("keepdims", False):
        places = [p for i, p in enumerate(places) if i not in axes]
    return View(made.source, tuple(places), tuple(shape), dtype)


def _axes(axis: Any, rank: int) -> list[int]:
    """The axes from 0 on."""
    each = axis if isinstance(axis, (list, tuple)) else [axis]
    return [int(a) % rank for a in each if isinstance(a, int)]
