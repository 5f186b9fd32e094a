"""Primitives that go along an axis and keep the shape, or reduce to where something lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...trace import Value
from ...views import View
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule
from .casts import cast
from .reductions import reduced

CUMULATIVE = ("cumlogsumexp", "cummax", "cummin", "cumprod", "cumsum")
PLACES = ("argmax", "argmin")


def along(
    lower: Lowering,
    op: str,
    x: View,
    axis: int,
    dtype: str,
    attributes: Mapping[str, Any] | None = None,
) -> View:
    """An op along an axis that keeps the shape: the layout of a View passes through it."""
    seen = with_axes(lower, x, [axis])
    source = lower.array(View.of(seen.source))  # type: ignore[arg-type]
    own = seen.axes[axis]
    assert own is not None
    given = {**(attributes or {}), "axis": own - source.ndim}
    made = lower.emit(op, {"x": source}, given, source.shape, dtype)
    return View(made.source, seen.axes, x.shape, dtype)


def with_axes(lower: Lowering, x: View, axes: Sequence[int]) -> View:
    """A View of an array in which these axes are some of its own."""
    if isinstance(x.source, Value) and all(x.axes[a] is not None for a in axes):
        return x
    return View.of(lower.array(x))


def reversed_(lower: Lowering, x: View, axis: int) -> View:
    return along(lower, "flip", x, axis, x.dtype)


@rule(*CUMULATIVE)
def cumulative(lower: Lowering, equation: JaxprEqn) -> View:
    _, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    axis = int(equation.params["axis"])
    op = equation.primitive.name
    if not equation.params["reverse"]:
        return along(lower, op, x, axis, dtype)
    turned = along(lower, op, reversed_(lower, x, axis), axis, dtype)
    return reversed_(lower, turned, axis)


@rule("rev")
def rev(lower: Lowering, equation: JaxprEqn) -> View:
    x = lower.read(equation.invars[0])
    turned = [int(d) for d in equation.params["dimensions"]]
    own = [a for d in turned if (a := x.axes[d]) is not None]
    if not own or not isinstance(x.source, Value):
        return x  # what is broadcast is the same from behind
    source = lower.array(View.of(x.source))
    axes = sorted(a - source.ndim for a in own)
    attributes = {"axis": axes[0] if len(axes) == 1 else axes}
    made = lower.emit("flip", {"x": source}, attributes, source.shape, x.dtype)
    return View(made.source, x.axes, x.shape, x.dtype)


@rule(*PLACES)
def place(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    gone = [int(a) for a in equation.params["axes"]]
    found = reduced(lower, equation.primitive.name, x, gone, shape, "int32")
    return cast(lower, found, dtype)
