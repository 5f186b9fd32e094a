"""Shapes: the same elements in another arrangement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from .inline import inline

swapaxes = jnp.swapaxes
squeeze = jnp.squeeze
broadcast_to = jnp.broadcast_to
flip = jnp.flip
roll = jnp.roll
tile = jnp.tile
repeat_elements = jnp.repeat


def expand_dims(x: Array, *, axis: int | Sequence[int]) -> Array:
    """x with axes of size 1 at these places of the result."""
    if axis == -1:
        return x[..., None]
    return jnp.expand_dims(x, axis=axis)


def reshape(x: Array, *, shape: Sequence[Any]) -> Array:
    """x in another shape; a leading "..." stands for all axes of x but the last."""
    if shape[:1] == ("...",):
        if -1 in shape:  # of an empty x, JAX can't tell what is left over
            return x.reshape(
                *x.shape[:-1],
                *shape[1 : shape.index(-1)],
                x.shape[-1] // -math.prod(shape[1:]),
                *shape[shape.index(-1) + 1 :],
            )
        return x.reshape(*x.shape[:-1], *shape[1:])
    return x.reshape(*shape)


@inline
def flatten(x: Array, *, start: int, stop: int | None) -> Array:
    if stop is None:
        return jax.lax.collapse(x, start)
    return jax.lax.collapse(x, start, stop)


@inline
def transpose(x: Array, *, permutation: tuple[int, ...]) -> Array:
    return x.transpose(permutation)


def pad(
    x: Array,
    *,
    pad_width: Sequence[tuple[int, int]],
    mode: str,
    constant_values: float,
) -> Array:
    """x with (before, after) more elements along its last axes."""
    widths = [(0, 0)] * (x.ndim - len(pad_width)) + [*pad_width]
    if mode == "constant":
        return jnp.pad(x, widths, constant_values=constant_values)
    return jnp.pad(x, widths, mode=mode)


@inline
def astype(x: Array, *, dtype: Any) -> Array:
    return x.astype(dtype)
