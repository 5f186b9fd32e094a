"""Places in an array that equations compute: what they are made of, and which of them an
op of blox may take as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jax.errors import InconclusiveDimensionOperation

from ...trace import Size, Step, Value
from ...views import View, same
from ..lower import Lowering

COUNTED = ("arange", "argmax", "argmin", "argsort")
"""Ops that give no number below 0."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place along an axis, or many.

    Args:
        raw: as the equations have it.
        view: without `where(i < 0, i + n, i)`, which ops of blox do themselves.
        wraps: True where that was left out.
        low: True where it can't be below 0.
    """

    raw: View
    view: View
    wraps: bool
    low: bool

    @property
    def number(self) -> Size | None:
        """The place where it is known."""
        return self.raw.source if self.raw.is_number else None

    def within(self, size: Size, count: Size, promised: bool = False) -> Size | None:
        """The place of a block of `count` elements, if it is known to lie within `size`.

        Args:
            promised: True where what isn't known about that holds.
        """
        at = self.number
        if at is None or not at_least(at, 0):
            return None
        inside = at_least(size - count - at, 0)
        return at if inside or (promised and inside is None) else None


def at_least(size: Size, bound: int) -> bool | None:
    """True where a size is that at least, None where it depends."""
    try:
        return bool(size >= bound)
    except InconclusiveDimensionOperation:
        return None


def place_of(lower: Lowering, raw: View, size: Size) -> Place:
    """What a View of places along an axis of this size is made of."""
    raw = lower.current(raw)
    if raw.is_number:
        return Place(raw, raw, False, isinstance(raw.source, int) and raw.source >= 0)
    base = _unwrapped(lower, raw, size)
    if base is None:
        return Place(raw, raw, False, is_counted(lower, raw))
    low = is_counted(lower, base)
    return Place(base if low else raw, base, True, low)


def _unwrapped(lower: Lowering, view: View, size: Size) -> View | None:
    """`i` of `where(i < 0, i + size, i)`."""
    where = _made(lower, view.source, "where")
    if where is None:
        return None
    i = where.operands["b"]
    less = _made(lower, where.operands["condition"], "less")
    more = _made(lower, where.operands["a"], "add")
    if less is None or more is None or not isinstance(i, Value):
        return None
    given = [more.operands[name] for name in ("a", "b")]
    added = [n for n in given if n is not i]
    below = less.operands["a"] is i and less.operands["b"] == 0
    like = list(map(str, i.shape)) == list(map(str, where.outputs[0].shape))
    if below and like and len(added) == 1 and same(added[0], size):
        return View(i, view.axes, view.shape, i.dtype)
    return None


def _made(lower: Lowering, value: object, op: str) -> Step | None:
    step = lower.made.get(value) if isinstance(value, Value) else None
    return step if step is not None and step.op == op else None


def is_counted(lower: Lowering, view: View) -> bool:
    """True where no element is below 0, as far as can be told."""
    if view.dtype.startswith("uint") or view.dtype == "bool":
        return True
    if not isinstance(view.source, Value):
        return isinstance(view.source, int) and view.source >= 0
    step = lower.made.get(view.source)
    if step is None:
        return False
    if step.op in COUNTED:
        counts = [step.attributes.get(name, 1) for name in ("start", "step")]
        return all(at_least(n, 0) or False for n in counts)
    if step.op == "constant":
        return bool(np.min(step.attributes["value"]) >= 0)
    if step.op in ("add", "multiply"):
        return all(_counted(lower, x) for x in step.operands.values())
    return False


def _counted(lower: Lowering, operand: object) -> bool:
    if isinstance(operand, Value):
        return is_counted(lower, View.of(operand))
    return isinstance(operand, int) and operand >= 0


def guarded(
    lower: Lowering,
    place: Place,
    use: Literal["start", "clip", "fill"],
    size: Size,
) -> View:
    """A place as an op takes it that counts those below 0 from the end: what should not
    wrap is kept from it."""
    number = place.number
    if place.wraps or place.low or (number is not None and at_least(number, 0)):
        return place.view
    if use == "fill":
        zero, end = (
            View.filled(n, place.raw.shape, place.raw.dtype) for n in (0, size)
        )
        below = lower.elementwise(
            "less", {"a": place.raw, "b": zero}, place.raw.shape, "bool"
        )
        given = {"condition": below, "a": end, "b": place.raw}
        return lower.elementwise("where", given, place.raw.shape, place.raw.dtype)
    if isinstance(number, int):
        return View.filled(max(number, 0), place.raw.shape, place.raw.dtype)
    zero = View.filled(0, place.raw.shape, place.raw.dtype)
    given = {"a": place.raw, "b": zero}
    return lower.elementwise("maximum", given, place.raw.shape, place.raw.dtype)
