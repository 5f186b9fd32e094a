"""Elementary functions: those of `jax.numpy` and `jax.lax`."""

from __future__ import annotations

import jax
import jax.numpy as jnp

exp = jnp.exp
expm1 = jnp.expm1
log = jnp.log
log1p = jnp.log1p
sqrt = jnp.sqrt
rsqrt = jax.lax.rsqrt
square = jnp.square
sin = jnp.sin
cos = jnp.cos
erf = jax.lax.erf
abs_ = jnp.abs
sign = jnp.sign
floor = jnp.floor
ceil = jnp.ceil
round_ = jnp.round
