"""Where numbers lie among sorted ones, and how often: `jax.numpy`'s, for leading dims."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax.numpy as jnp
from jax import Array


def searchsorted(edges: Array, x: Array, *, side: str) -> Array:
    """How many of the ascending numbers are below each of x."""
    search = partial(jnp.searchsorted, side=side)
    found: Array = jnp.vectorize(search, signature="(n),(m)->(m)")(edges, x)
    return found


def interp(x: Array, xp: Array, fp: Array, *, extrapolate: bool) -> Array:
    """The line through the points (xp, fp) at x, in float32."""
    kind = jnp.result_type(x, xp, fp, float)
    wide = [y.astype(jnp.promote_types(kind, jnp.float32)) for y in (x, xp, fp)]
    beyond = partial(jnp.interp, left="extrapolate", right="extrapolate")
    line = beyond if extrapolate else jnp.interp
    y: Array = jnp.vectorize(line, signature="(m),(n),(n)->(m)")(*wide)
    return y.astype(kind)


def bincount(x: Array, weights: Array | None = None, *, length: int) -> Array:
    """How often each of 0, ..., length - 1 is in x."""
    count = partial(jnp.bincount, length=length)
    if weights is None:
        counts: Array = jnp.vectorize(count, signature="(n)->(k)")(x)
        return counts
    sums: Array = jnp.vectorize(count, signature="(n),(n)->(k)")(x, weights)
    return sums


def histogram(
    x: Array,
    weights: Array | None = None,
    *,
    bins: int,
    low: float,
    high: float,
    density: bool,
) -> Array:
    """How many of x lie in each of equal parts of low to high, counted in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    weighted = jnp.ones_like(y) if weights is None else weights.astype(y.dtype)
    count = jnp.vectorize(
        lambda x, w: jnp.histogram(x, bins, (low, high), w, density=density)[0],
        signature="(n),(n)->(k)",
    )
    counts: Array = count(y, weighted)
    return counts.astype(jnp.result_type(x, float))


def histogram2d(
    x: Array,
    y: Array,
    weights: Array | None = None,
    *,
    bins: Sequence[int],
    low: Sequence[float],
    high: Sequence[float],
    density: bool,
) -> Array:
    """How many points lie in each of equal parts of a rectangle, counted in float32."""
    kind = jnp.result_type(x, y, float)
    wide = jnp.promote_types(kind, jnp.float32)
    ones = jnp.ones_like(x, wide) if weights is None else weights.astype(wide)
    ends = [*zip(low, high, strict=True)]
    count = jnp.vectorize(
        lambda x, y, w: jnp.histogram2d(x, y, [*bins], ends, w, density)[0],
        signature="(n),(n),(n)->(k,m)",
    )
    counts: Array = count(x.astype(wide), y.astype(wide), ones)
    return counts.astype(kind)
