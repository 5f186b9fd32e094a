"""Reductions and running sums: those of `jax.numpy`."""

from __future__ import annotations

import jax.numpy as jnp

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
