"""Padding: more elements around an array, between its own, or fewer of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...trace import Number, Size, Value
from ...views import View, same
from ..context import Missing
from ..internals import JaxprEqn, plain_size
from ..lower import Lowering, output_of, rule
from .places import at_least
from .slices import picked


@rule("pad")
def pad(lower: Lowering, equation: JaxprEqn) -> View:
    shape, _ = output_of(equation)
    x, value = map(lower.read, equation.invars)
    config = [tuple(map(plain_size, c)) for c in equation.params["padding_config"]]
    return padded(lower, x, config, value, shape)


def padded(
    lower: Lowering,
    x: View,
    config: Sequence[tuple[Size, Size, Size]],
    value: View,
    shape: Sequence[Size],
) -> View:
    """x with (before, after, between) more elements along each axis; fewer where these are
    negative."""
    if isinstance(value.source, Value):
        return _padded_with(lower, x, config, value, shape)
    if x.is_number and x.source == value.source:
        return View.filled(value.source, shape, x.dtype)
    for axis, (_, _, between) in enumerate(config):
        if not same(between, 0):
            x = spread(lower, x, axis, between, value.source)
    cut = {
        axis: slice(
            -low if _negative(low) else 0,
            plain_size(x.shape[axis] + (high if _negative(high) else 0)),
            1,
        )
        for axis, (low, high, _) in enumerate(config)
        if _negative(low) or _negative(high)
    }
    if cut:
        inner = list(x.shape)
        for axis, part in cut.items():
            inner[axis] = plain_size(part.stop - part.start)
        x = picked(lower, x, cut, inner)
    more = {
        axis: [0 if _negative(low) else low, 0 if _negative(high) else high]
        for axis, (low, high, _) in enumerate(config)
    }
    grown = [i for i, pair in more.items() if not all(same(n, 0) for n in pair)]
    return _laid_around(lower, x, {i: more[i] for i in grown}, value.source, shape)


def _padded_with(
    lower: Lowering,
    x: View,
    config: Sequence[tuple[Size, Size, Size]],
    value: View,
    shape: Sequence[Size],
) -> View:
    """The same with a value that is computed: it is chosen where x is not."""
    zero, no = View.filled(0, (), x.dtype), View.filled(False, (), "bool")
    own = View.of(lower.array(View.filled(True, x.shape, "bool")))
    operands = {
        "condition": padded(lower, own, config, no, shape),
        "a": padded(lower, x, config, zero, shape),
        "b": value,
    }
    return lower.elementwise("where", operands, shape, x.dtype)


def _negative(size: Size) -> bool:
    found = at_least(size, 0)
    if found is None:
        raise Missing(f"pad: by {size}, which some sizes make negative")
    return not found


def _laid_around(
    lower: Lowering,
    x: View,
    widths: Mapping[int, list[Size]],
    value: Value | Number,
    shape: Sequence[Size],
) -> View:
    if not widths:
        return x
    x = lower.along(x, list(widths))
    assert isinstance(x.source, Value)
    rank = x.source.ndim
    own = {x.axes[i]: pair for i, pair in widths.items()}
    first = min(a for a in own if a is not None)
    attributes: dict[str, Any] = {
        "pad_width": [own.get(a, [0, 0]) for a in range(first, rank)]
    }
    if value != 0:
        attributes["constant_values"] = value
    sizes = {a: n for a, n in zip(x.axes, shape, strict=True) if a is not None}
    outer = [sizes.get(a, n) for a, n in enumerate(x.source.shape)]
    made = lower.emit("pad", {"x": x.source}, attributes, outer, x.dtype)
    return View(made.source, x.axes, tuple(shape), x.dtype)


def spread(
    lower: Lowering, x: View, axis: int, between: Size, value: Value | Number
) -> View:
    """x with `between` more elements behind each but the last along an axis: each is padded
    by itself, then all stand in a row."""
    rest = [i for i in range(x.ndim) if i != axis]
    source = lower.array(x.transpose([*rest, axis]))
    size = source.shape[-1]
    wide = View(source, (*range(x.ndim), None), (*source.shape, 1), x.dtype)
    one = [*source.shape, plain_size(between + 1)]
    around = {x.ndim: [0, between]}
    each = _laid_around(lower, wide, around, value, one)
    row = [*source.shape[:-1], plain_size(size * (between + 1))]
    flat = lower.emit("flatten", {"x": each}, {"start": -2}, row, x.dtype)
    whole = [*source.shape[:-1], plain_size(size * (between + 1) - between)]
    cut = slice(0, whole[-1], 1)
    made = picked(lower, flat, {x.ndim - 1: cut}, whole)
    back = [*range(axis), x.ndim - 1, *range(axis, x.ndim - 1)]
    return made.transpose(back)
