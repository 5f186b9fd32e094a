"""Special functions of `jax.scipy.special`: erf, integrals, Bessel's, of probabilities."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.scipy import special

erf_inv = special.erfinv
erfc = special.erfc
dawsn = special.dawsn
i0 = special.i0
i0e = special.i0e
i1 = special.i1
i1e = special.i1e
entr = special.entr
logit = special.logit
xlogy = special.xlogy
xlog1py = special.xlog1py
boxcox = special.boxcox
boxcox1p = special.boxcox1p
rel_entr = special.rel_entr
kl_div = special.kl_div
fresnel = special.fresnel


def erfcx(x: Array) -> Array:
    """exp(x ** 2) * erfc(x), in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return special.erfcx(y).astype(jnp.result_type(x, float))


def owens_t(h: Array | float, a: Array | float) -> Array:
    """How likely two normal numbers x, y are with x > h and 0 < y < a * x, in float32."""
    kind = jnp.result_type(h, a, float)
    wide = jnp.promote_types(kind, jnp.float32)
    return special.owens_t(jnp.asarray(h, wide), jnp.asarray(a, wide)).astype(kind)


def ndtr(x: Array) -> Array:
    """The normal distribution function, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return special.ndtr(y).astype(jnp.result_type(x, float))


def ndtri(x: Array) -> Array:
    """The number whose ndtr is x, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return special.ndtri(y).astype(jnp.result_type(x, float))


def log_ndtr(x: Array) -> Array:
    """log(ndtr(x)), in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return special.log_ndtr(y).astype(jnp.result_type(x, float))


def sici(x: Array) -> tuple[Array, Array]:
    """The integrals of sin(t) / t over 0 to x and of cos(t) / t over infinity to x."""
    both: tuple[Array, Array] = special.sici(x)
    return both
