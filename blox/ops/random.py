"""Randomness by JAX's own keys."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array

random_normal = jax.random.normal
random_uniform = jax.random.uniform
bernoulli = jax.random.bernoulli


def rng(
    *, key_data: Array, count: Array, train: bool
) -> tuple[Array | None, dict[str, Array]]:
    """A key per call, fold_in(key, count), and the next state; none if not training."""
    if not train:
        return None, {}
    key = jax.random.wrap_key_data(key_data, impl="threefry2x32")
    return jax.random.fold_in(key, count), {"key_data": key_data, "count": count + 1}


def dropout(
    x: Array,
    key: Array | None = None,
    *,
    rate: float,
    broadcast_dims: Sequence[int] = (),
) -> Array:
    """Zeroes elements with probability rate, scales the rest; no key, no change."""
    if key is None or rate == 0:
        return x
    shape = x.shape
    if broadcast_dims:
        sizes = [*x.shape]
        for axis in broadcast_dims:
            sizes[axis] = 1
        shape = tuple(sizes)
    keep = jax.random.bernoulli(key, 1 - rate, shape)
    return jnp.where(keep, x / (1 - rate), 0)
