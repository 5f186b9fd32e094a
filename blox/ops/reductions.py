"""Reductions and running sums: those of `jax.numpy`."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

sum_ = jnp.sum
mean = jnp.mean
prod = jnp.prod
max_ = jnp.max
min_ = jnp.min
any_ = jnp.any
all_ = jnp.all
var = jnp.var
std = jnp.std
norm = jnp.linalg.vector_norm
argmax = jnp.argmax
argmin = jnp.argmin
cumsum = jnp.cumsum
cumprod = jnp.cumprod


def cummax(x: Array, *, axis: int) -> Array:
    """The greatest value so far along axis."""
    return jax.lax.cummax(x, axis=axis % x.ndim)


def cummin(x: Array, *, axis: int) -> Array:
    """The least value so far along axis."""
    return jax.lax.cummin(x, axis=axis % x.ndim)


def cumlogsumexp(x: Array, *, axis: int) -> Array:
    """log(cumsum(exp(x))) along axis, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = jax.lax.cumlogsumexp(y, axis=axis % x.ndim)
    return y.astype(jnp.result_type(x, float))
