"""Parts of an array."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from .inline import inline

dynamic_update_slice = jax.lax.dynamic_update_slice_in_dim


@inline
def index(x: Array, *, at: Any) -> Array:
    return x[at]


@inline
def take(x: Array, indices: Array, *, axis: int, mode: str) -> Array:
    return jnp.take(x, indices, axis=axis, mode=mode)


@inline
def take_along_axis(x: Array, indices: Array, *, axis: int, mode: str) -> Array:
    return jnp.take_along_axis(x, indices, axis=axis, mode=mode)


@inline
def dynamic_slice(x: Array, start: Array, *, size: int, axis: int) -> Array:
    return jax.lax.dynamic_slice_in_dim(x, start, size, axis)
