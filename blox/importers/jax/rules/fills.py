"""What a gather gives for places that lie outside of the array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...views import View
from ..internals import plain_size
from ..lower import Lowering
from ..numbers import number_of
from .indices import Indexed


def is_usual(value: Any, dtype: str) -> bool:
    """True for what JAX fills with if it isn't told: NaN, or the least integer."""
    if value is None:
        return True
    if "float" in dtype:
        return bool(value != value)
    return "int" in dtype and int(value) == (
        np.iinfo(dtype).max if dtype.startswith("uint") else np.iinfo(dtype).min
    )


def filled(
    lower: Lowering, of: Indexed, found: View, free: Sequence[int], value: Any
) -> View:
    """What is gathered, and a value of the user's own outside.

    Args:
        found: what is gathered where places are clamped.
        free: the axes of that which are those of the places.
    """
    number = View.filled(number_of(value), (), found.dtype)
    inside = _inside(lower, of).broadcast(found.shape, free)
    operands = {"condition": inside, "a": found, "b": number}
    return lower.elementwise("where", operands, found.shape, found.dtype)


def _inside(lower: Lowering, of: Indexed) -> View:
    """True where all of a window lies within the array."""
    found = View.filled(True, of.frame, "bool")
    for axis, place in of.places.items():
        last = plain_size(of.x.shape[axis] - of.sizes[axis])
        for op, bound in (("greater_equal", 0), ("less_equal", last)):
            given = {"a": place.raw, "b": View.filled(bound, (), place.raw.dtype)}
            here = lower.elementwise(op, given, of.frame, "bool")
            both = {"a": found, "b": here}
            found = (
                here
                if found.is_number
                else lower.elementwise("logical_and", both, of.frame, "bool")
            )
    return found
