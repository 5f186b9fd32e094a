"""Where numbers lie among sorted ones, and how often: `jax.numpy`'s, for leading dims."""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp
from jax import Array


def searchsorted(edges: Array, x: Array, *, side: str) -> Array:
    """How many of the ascending numbers are below each of x."""
    search = partial(jnp.searchsorted, side=side)
    return jnp.vectorize(search, signature="(n),(m)->(m)")(edges, x)


def interp(x: Array, xp: Array, fp: Array, *, extrapolate: bool) -> Array:
    """The line through the points (xp, fp) at x."""
    beyond = "extrapolate" if extrapolate else None
    line = partial(jnp.interp, left=beyond, right=beyond)
    return jnp.vectorize(line, signature="(m),(n),(n)->(m)")(x, xp, fp)


def bincount(x: Array, weights: Array | None, *, length: int) -> Array:
    """How often each of 0, ..., length - 1 is in x."""
    count = partial(jnp.bincount, length=length)
    if weights is None:
        return jnp.vectorize(count, signature="(n)->(k)")(x)
    return jnp.vectorize(count, signature="(n),(n)->(k)")(x, weights)


def histogram(
    x: Array,
    weights: Array | None,
    *,
    bins: int,
    low: float,
    high: float,
    density: bool,
) -> Array:
    """How many of x lie in each of equal parts of low to high, counted in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    weights = jnp.ones_like(y) if weights is None else weights.astype(y.dtype)
    counts = jnp.vectorize(
        lambda a, w: jnp.histogram(a, bins, (low, high), w, density)[0],
        signature="(n),(n)->(k)",
    )(y, weights)
    return counts.astype(jnp.result_type(x.dtype, 0.0))
