"""Arguments of array methods, as attributes have them."""

from __future__ import annotations

from typing import Any


def is_list(value: Any) -> bool:
    """True of sizes or axes that are given as one argument."""
    return isinstance(value, (list, tuple))


def axis_of(axis: Any) -> Any:
    """An axis, or a list of them."""
    return list(axis) if isinstance(axis, tuple) else axis


def dtype_name(dtype: Any) -> str:
    """The name of a dtype; Python's float is the model's."""
    import numpy as np

    return "float" if dtype is float else str(np.dtype(dtype))
