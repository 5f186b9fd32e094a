"""Randomness by JAX's own keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from .inline import inline

random_normal = jax.random.normal
random_uniform = jax.random.uniform
bernoulli = jax.random.bernoulli
gumbel = jax.random.gumbel
permutation = jax.random.permutation
truncated_normal = jax.random.truncated_normal


@inline
def randint(
    key: Array, *, shape: tuple[int, ...], minval: int, maxval: int, dtype: Any
) -> Array:
    return jax.random.randint(key, shape, minval, maxval, dtype)


def categorical(key: Array, logits: Array, *, axis: int) -> Array:
    """An index along an axis with the probabilities softmax(logits)."""
    wide = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    return jax.random.categorical(key, wide, axis)


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


def stochastic_depth(
    x: Array,
    rate: Array | float,
    key: Array | None = None,
    *,
    axis: Sequence[int],
) -> Array:
    """Drops x as a whole with probability rate, scales it otherwise; no key, no change."""
    if key is None:
        return x
    sizes = [1] * x.ndim
    for a in axis:
        sizes[a] = x.shape[a]
    share = 1 - jnp.asarray(rate, jnp.promote_types(jnp.result_type(rate), jnp.float32))
    keep = jax.random.bernoulli(key, share, tuple(sizes))
    return jnp.where(keep, x / share, 0).astype(jnp.result_type(x.dtype, 0.0))
