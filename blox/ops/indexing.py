"""Parts of an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from .inline import inline


@inline
def index(x: Array, *, at: Any) -> Array:
    return x[at]


@inline
def take(x: Array, indices: Array, *, axis: int, mode: str) -> Array:
    return jnp.take(x, indices, axis=axis, mode=mode)


@inline
def take_along_axis(x: Array, indices: Array, *, axis: int, mode: str) -> Array:
    return jnp.take_along_axis(x, indices, axis=axis, mode=mode)


def choose(which: Array, choices: Sequence[Array | float], *, mode: str) -> Array:
    """The element of the one of choices that which says."""
    which, *each = jnp.broadcast_arrays(which, *choices)
    count = len(choices)
    which = which % count if mode == "wrap" else jnp.clip(which, 0, count - 1)
    return jax.lax.select_n(which.astype(jnp.int32), *jnp.stack(each))


def dynamic_slice(
    x: Array, start: Sequence[Any], *, size: Sequence[int], axis: Sequence[int]
) -> Array:
    """size elements of x from start along each axis."""
    if len(axis) == 1:
        return jax.lax.dynamic_slice_in_dim(x, start[0], size[0], axis=axis[0])
    starts: list[Any] = [0] * x.ndim
    sizes = [*x.shape]
    for i, at, n in zip(axis, start, size, strict=True):
        starts[i] = at
        sizes[i] = n
    return jax.lax.dynamic_slice(x, starts, sizes)


def dynamic_update_slice(
    x: Array, update: Array, start: Sequence[Any], *, axis: Sequence[int]
) -> Array:
    """x with update in place of its elements from start along each axis."""
    if len(axis) == 1:
        return jax.lax.dynamic_update_slice_in_dim(x, update, start[0], axis=axis[0])
    starts: list[Any] = [0] * x.ndim
    for i, at in zip(axis, start, strict=True):
        starts[i] = at
    return jax.lax.dynamic_update_slice(x, update, starts)
