"""Arrays of any library: described without reading, read as NumPy's, and whose they are.

No library is imported for it: an array is what has a shape and a dtype.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from .spec import Spec

if TYPE_CHECKING:
    from .spec import Array


def is_array(value: Any) -> bool:
    """True of what has a shape and a dtype, of NumPy, JAX, PyTorch, Keras or a file."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def describe(value: Any) -> Spec:
    """Shape and dtype of an array that is not read."""
    dtype = str(value.dtype).removeprefix("torch.").removeprefix("<dtype: '")
    return Spec(tuple(int(n) for n in value.shape), dtype.removesuffix("'>"))


def host_array(value: Any) -> Array:
    """An array as NumPy's, its own memory where that is possible."""
    import numpy as np

    if hasattr(value, "detach") and hasattr(value, "cpu"):  # of PyTorch
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":  # which NumPy has not
            import ml_dtypes

            torch: Any = sys.modules["torch"]
            bits: Array = np.asarray(value.contiguous().view(torch.int16))
            return bits.view(ml_dtypes.bfloat16)
    array: Array = np.asarray(value)
    return array


def immutable(value: Any) -> Array | None:
    """The memory of an array that nobody can change, None for others.

    That of NumPy and PyTorch is its owner's, who may train on.
    """
    mapped: Any = getattr(value, "mapped", None)
    if mapped is not None:
        found: Array = mapped()
        return found
    jax = sys.modules.get("jax")
    if jax is not None and isinstance(value, jax.Array):
        return host_array(value)
    return None
