"""Arrays of the model that are stored in fewer bits."""

from __future__ import annotations

from jax import Array


def dequantize(values: Array, scale: Array) -> Array:
    """values * scale, in the dtype of scale."""
    return values.astype(scale.dtype) * scale
