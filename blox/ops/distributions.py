"""Random numbers of other distributions, by JAX's own keys."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

exponential = jax.random.exponential
laplace = jax.random.laplace


def random_gamma(key: Array, a: Array) -> Array:
    """Numbers of the gamma distribution, drawn in float32."""
    wide = a.astype(jnp.promote_types(jnp.result_type(a, float), jnp.float32))
    return jax.random.gamma(key, wide, dtype=wide.dtype).astype(
        jnp.result_type(a, float)
    )


def poisson(key: Array, rate: Array) -> Array:
    """Integers of the Poisson distribution."""
    return jax.random.poisson(key, rate, dtype=jnp.int32)
