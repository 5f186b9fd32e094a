"""Numbers and dtypes of JAX as a Graph says them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..trace import Number

LARGEST = 65504.0
"""That a constant of the model's dtype may be, as the model may be cast to float16."""


def said_dtype(dtype: Any, numbers: Any = 0) -> str:
    """A dtype as a Graph says it: float32 is the model's, unless it has to hold numbers
    that not every floating type can."""
    text = str(dtype)
    if text != "float32":
        return text
    found = np.abs(np.asarray(numbers, float))
    return "float32" if (np.isfinite(found) & (found > LARGEST)).any() else "float"


def number_of(scalar: Any) -> Number:
    """A number of Python that prints as one would write it."""
    array = np.asarray(scalar)
    value: Any = array.item()
    if array.dtype == np.float32 and math.isfinite(value):
        return float(str(array[()]))
    return value  # type: ignore[no-any-return]


def plain_numbers(array: Any) -> Any:
    """Nested lists of numbers."""
    found = np.asarray(array)
    if not found.ndim:
        return number_of(found)
    return [plain_numbers(part) for part in found]


def is_uniform(array: Any) -> bool:
    """True where all elements are one number, or all are NaN."""
    first = array.flat[0]
    if array.dtype.kind in "fc" and first == 0:
        signs = np.signbit(array.real)
        return bool((array == 0).all() and signs.all() == signs.any())
    return bool((array == first).all() or (first != first and (array != array).all()))


def is_weak(number: Number) -> bool:
    """True for a number that may stand beside an array of any dtype that holds it: no
    complex one, and none beyond 32 bits with a sign."""
    if isinstance(number, complex):
        return False
    return not isinstance(number, int) or -(2**31) <= number < 2**31


def real_dtype(dtype: str) -> str:
    """The dtype of the parts of complex numbers."""
    return "float64" if dtype == "complex128" else "float32"
