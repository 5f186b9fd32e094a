"""Positions: rotary and sinusoidal."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array


def rope_table(
    positions: Array,
    *,
    dim: int,
    theta: float,
    scaling: str = "none",
    factor: float = 1.0,
) -> tuple[Array, Array]:
    """cos and sin of the rotary angles: (..., time) -> (..., time, dim / 2) each."""
    angles = positions.astype(jnp.float32)[..., None]
    if scaling == "linear":
        angles = angles / factor
    angles = angles / theta ** (jnp.arange(0, dim, 2, jnp.float32) / dim)
    return jnp.cos(angles), jnp.sin(angles)


def rope(x: Array, cos: Array, sin: Array, *, layout: str) -> Array:
    """Turns pairs of features of x (..., time, heads, head_dim) by the angles."""
    cos, sin = cos[..., None, :], sin[..., None, :]
    if layout == "interleaved":
        a, b = x[..., ::2], x[..., 1::2]
        y = jnp.stack([a * cos - b * sin, b * cos + a * sin], axis=-1)
        return y.reshape(x.shape).astype(jnp.result_type(x, float))
    a, b = jnp.split(x, 2, axis=-1)
    y = jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)
    return y.astype(jnp.result_type(x, float))


def sinusoidal(positions: Array, *, dim: int, theta: float, layout: str) -> Array:
    """Sines and cosines of positions: (..., time) -> (..., time, dim)."""
    angles = positions.astype(jnp.float32)[..., None]
    angles = angles / theta ** (jnp.arange(0, dim, 2, jnp.float32) / dim)
    if layout == "interleaved":
        pairs = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1)
        return pairs.reshape(*positions.shape, dim)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)
