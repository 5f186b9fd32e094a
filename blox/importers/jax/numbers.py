"""Numbers and dtypes of JAX as a Graph says them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..trace import Number


def said_dtype(dtype: Any) -> str:
    """A dtype as a Graph says it: float32 is the model's."""
    text = str(dtype)
    return "float" if text == "float32" else text


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
    return bool((array == first).all() or (first != first and (array != array).all()))
