"""Primitives that cut a block out of an array, or put one into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...trace import Size, Value
from ...views import View, same
from ..internals import JaxprEqn, max_size, plain_size
from ..lower import Lowering, output_of, rule
from .places import Place, guarded, place_of

LAST = 32
"""How far from the end a slice ends at most that is recognised by that."""


@rule("slice")
def slice_(lower: Lowering, equation: JaxprEqn) -> View:
    x = lower.read(equation.invars[0])
    params = equation.params
    strides = params["strides"] or (1,) * x.ndim
    at: dict[int, slice] = {}
    bounds = zip(params["start_indices"], params["limit_indices"], strides, strict=True)
    for axis, (start, limit, step) in enumerate(bounds):
        if same(start, 0) and same(limit, x.shape[axis]) and step == 1:
            continue
        at[axis] = slice(plain_size(start), plain_size(limit), int(step))
    return picked(lower, x, at, output_of(equation)[0])


def picked(
    lower: Lowering, x: View, at: Mapping[int, slice], shape: Sequence[Size]
) -> View:
    """`x[at]`, of the same rank: a part of one element is an axis of size 1.

    Args:
        at: a slice for each axis that is cut, with bounds within it.
        shape: of what comes out.
    """
    if x.is_number:
        return View.filled(x.source, shape, x.dtype)  # type: ignore[arg-type]
    real = [i for i in at if x.axes[i] is not None]
    if not real:
        return View(x.source, x.axes, tuple(shape), x.dtype)
    x = lower.along(x, real)
    source = x.source
    assert isinstance(source, Value)
    cuts = {x.axes[i]: at[i] for i in real}
    ones = [a for i in real if same(shape[i], 1) and (a := x.axes[i]) is not None]
    left = [a for a in range(source.ndim) if a not in ones]
    sizes = {a: n for a, n in zip(x.axes, shape, strict=True) if a is not None}
    parts = [_said(cuts.get(a), source.shape[a], a in ones) for a in range(source.ndim)]
    outer = [sizes.get(a, 1) for a in left]
    made = lower.emit("index", {"x": source}, {"at": _short(parts)}, outer, x.dtype)
    assert isinstance(made.source, Value)

    def again(axes: Sequence[int | None]) -> View | None:
        whole = [a for a in axes if a is not None]
        if whole != list(range(len(left))) or len(axes) != source.ndim:
            return None
        if [i for i, a in enumerate(axes) if a is None] != ones:
            return None
        kept = [_said(cuts.get(a), source.shape[a], False) for a in range(source.ndim)]
        full = [1 if a in ones else sizes.get(a, 1) for a in range(source.ndim)]
        return lower.emit("index", {"x": source}, {"at": _short(kept)}, full, x.dtype)

    if ones:
        lower.again[made.source] = again
    axes = tuple(left.index(a) if a in left else None for a in x.axes)
    return View(made.source, axes, tuple(shape), x.dtype)


def _said(cut: slice | None, size: Size, one: bool) -> Any:
    """A part of an index as a person writes it: bounds near the end count from there."""
    if cut is None:
        return slice(None)
    start, stop, step = cut.start, cut.stop, cut.step or 1
    if one:
        return _bound(start, size)
    first = None if same(start, 0) else _bound(start, size)
    last = None if same(stop, size) else _bound(stop, size)
    return slice(first, last, None if step == 1 else step)


def _bound(at: Size, size: Size) -> Size:
    """A bound; one that is a symbol less a number counts from the end."""
    if isinstance(at, int):
        return at
    back = plain_size(at - size)
    return back if isinstance(back, int) and back < 0 else at


def stop_of(start: Size, count: Size, size: Size) -> Size:
    """Where a slice of `count` elements ends. A count that is `size - start - k`, or none
    where that is below 0, ends at `size - k`, as slices are empty that end before they
    begin."""
    if "max" in str(count):
        for k in range(LAST):
            if same(count, max_size(0, size - start - k)):
                return plain_size(size - k)
    return plain_size(start + count)


def _short(parts: Sequence[Any]) -> list[Any]:
    """The parts, with `...` for those at the beginning that are whole."""
    whole = 0
    while whole < len(parts) and parts[whole] == slice(None):
        whole += 1
    tail = list(parts[whole:])
    if whole > 1:
        return [Ellipsis, *tail]
    found = list(parts)
    while len(found) > 1 and found[-1] == slice(None):
        found.pop()
    return found


@rule("dynamic_slice")
def dynamic_slice(lower: Lowering, equation: JaxprEqn) -> View:
    shape, _ = output_of(equation)
    x, *starts = map(lower.read, equation.invars[: 1 + len(shape)])
    cut = [i for i, n in enumerate(shape) if not same(n, x.shape[i])]
    places = {i: place_of(lower, starts[i], x.shape[i]) for i in cut}
    return sliced(lower, x, places, shape)


def sliced(
    lower: Lowering, x: View, places: Mapping[int, Place], shape: Sequence[Size]
) -> View:
    """A block of x from a place on along some axes, moved so that it lies within x."""
    if not places or x.is_number:
        return View(x.source, x.axes, tuple(shape), x.dtype)
    static = {}
    for axis, place in places.items():
        first = place.within(x.shape[axis], shape[axis])
        if first is not None:
            static[axis] = slice(first, stop_of(first, shape[axis], x.shape[axis]), 1)
    if len(static) == len(places):
        return picked(lower, x, static, shape)
    x = lower.along(x, list(places))
    assert isinstance(x.source, Value)
    order = sorted(places, key=lambda i: x.axes[i] or 0)
    attributes = {
        "size": [shape[i] for i in order],
        "axis": [(x.axes[i] or 0) - x.source.ndim for i in order],
    }
    start = [guarded(lower, places[i], "start", x.shape[i]) for i in order]
    sizes = {x.axes[i]: shape[i] for i in places}
    outer = [sizes.get(a, n) for a, n in enumerate(x.source.shape)]
    given = {"x": x.source, "start": start}
    made = lower.emit("dynamic_slice", given, attributes, outer, x.dtype)
    return View(made.source, x.axes, tuple(shape), x.dtype)


@rule("dynamic_update_slice")
def dynamic_update_slice(lower: Lowering, equation: JaxprEqn) -> View:
    x, update, *starts = map(lower.read, equation.invars)
    cut = [i for i, n in enumerate(update.shape) if not same(n, x.shape[i])]
    places = {i: place_of(lower, starts[i], x.shape[i]) for i in cut}
    return updated(lower, x, update, places)


def updated(
    lower: Lowering, x: View, update: View, places: Mapping[int, Place]
) -> View:
    """x with a block in place of its own from a place on along some axes."""
    if not places:
        return update
    x = lower.arranged(x)
    assert isinstance(x.source, Value)
    into = sorted(range(x.ndim), key=lambda i: x.axes[i] or 0)
    order = sorted(places, key=lambda i: x.axes[i] or 0)
    start = [guarded(lower, places[i], "start", x.shape[i]) for i in order]
    axis = [(x.axes[i] or 0) - x.ndim for i in order]
    given = {
        "x": x.source,
        "update": lower.array(update.transpose(into)),
        "start": start,
    }
    made = lower.emit(
        "dynamic_update_slice", given, {"axis": axis}, x.source.shape, x.dtype
    )
    return View(made.source, x.axes, x.shape, x.dtype)
