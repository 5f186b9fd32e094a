"""Elementary functions: those of `jax.numpy` and `jax.lax`."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

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
exp2 = jnp.exp2
log2 = jnp.log2
log10 = jnp.log10
cbrt = jnp.cbrt
reciprocal = jnp.reciprocal
tan = jnp.tan
asin = jnp.asin
acos = jnp.acos
atan = jnp.atan
sinh = jnp.sinh
cosh = jnp.cosh
asinh = jnp.asinh
acosh = jnp.acosh
atanh = jnp.atanh
sinc = jnp.sinc
deg2rad = jnp.deg2rad
rad2deg = jnp.rad2deg
trunc = jnp.trunc
modf = jnp.modf
frexp = jnp.frexp
reduce_precision = jax.lax.reduce_precision


def nan_to_num(
    x: Array, *, nan: float, posinf: float | None, neginf: float | None
) -> Array:
    """x with numbers for NaN and the infinities."""
    return jnp.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)
