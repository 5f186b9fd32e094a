"""Complex numbers: made of two real ones, and taken apart."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

real = jnp.real
imag = jnp.imag
conj = jnp.conj
angle = jnp.angle


def complex_(real: Array | float, imag: Array | float) -> Array:
    """real + imag * i, of float32 at least."""
    kind = jnp.promote_types(jnp.result_type(real, imag), jnp.float32)
    real, imag = jnp.broadcast_arrays(jnp.asarray(real, kind), jnp.asarray(imag, kind))
    return jax.lax.complex(real, imag)
