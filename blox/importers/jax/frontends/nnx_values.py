"""The variables of a layer of Flax NNX, and whether it computes as any other does."""

from __future__ import annotations

from typing import Any

from flax.nnx.nn import dtypes

from .dense import is_plain as is_uncast


def value(variable: Any) -> Any:
    """The array of a variable; None where there is none."""
    return None if variable is None else variable[...]


def is_plain(m: Any, x: Any, *arrays: Any) -> bool:
    """True where the layer computes as any other does: in the dtype of x, by JAX's own
    functions."""
    return (
        is_uncast(x, *arrays, dtype=m.dtype)
        and getattr(m, "precision", None) is None
        and getattr(m, "preferred_element_type", None) is None
        and getattr(m, "promote_dtype", None) is dtypes.promote_dtype
    )
