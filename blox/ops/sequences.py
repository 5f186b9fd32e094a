"""Sequences along an axis: convolution of signals, slopes, angles without jumps."""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp
from jax import Array


def convolve(a: Array, b: Array, *, mode: str) -> Array:
    """Sums of products of a and of b the other way round, shifted."""
    each = partial(jnp.convolve, mode=mode, precision="highest")
    y: Array = jnp.vectorize(each, signature="(n),(m)->(k)")(a, b)
    return y


def correlate(a: Array, b: Array, *, mode: str) -> Array:
    """Sums of products of a and b, shifted."""
    each = partial(jnp.correlate, mode=mode, precision="highest")
    y: Array = jnp.vectorize(each, signature="(n),(m)->(k)")(a, b)
    return y


def gradient(x: Array, *, spacing: float, axis: int) -> Array:
    """The slope of x along axis, by the neighbours of each element."""
    return jnp.asarray(jnp.gradient(x, spacing, axis=axis))


def unwrap(x: Array, *, axis: int, period: float) -> Array:
    """Angles without jumps of more than half a period."""
    y: Array = jnp.unwrap(x, axis=axis, period=period)
    return y


def polyder(p: Array) -> Array:
    """The coefficients of the derivative, the highest power first."""
    return p[..., :-1] * jnp.arange(p.shape[-1] - 1, 0, -1, dtype=p.dtype)


def polyint(p: Array) -> Array:
    """The coefficients of the integral, the highest power first."""
    widths = [(0, 0)] * (p.ndim - 1) + [(0, 1)]
    return jnp.pad(p / jnp.arange(p.shape[-1], 0, -1), widths)


def roots(p: Array) -> Array:
    """Where a polynomial is 0: complex places, NaN for those it has not."""
    each = partial(jnp.roots, strip_zeros=False)
    wide = p.astype(jnp.promote_types(p.dtype, jnp.float32))
    y: Array = jnp.vectorize(each, signature="(n)->(k)")(wide)
    return y


def polydiv(u: Array, v: Array) -> tuple[Array, Array]:
    """The quotient and the remainder of polynomials, the highest power first."""
    divided = jnp.vectorize(jnp.polydiv, signature="(m),(n)->(k),(m)")
    quotient, remainder = divided(u, v)
    return quotient, remainder


def vander(x: Array, *, n: int, increasing: bool) -> Array:
    """Powers of x on a new last axis."""
    powers = jnp.arange(n) if increasing else jnp.arange(n - 1, -1, -1)
    return x[..., None] ** powers
