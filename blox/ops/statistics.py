"""Statistics: those of `jax.numpy`."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

count_nonzero = jnp.count_nonzero
ptp = jnp.ptp
median = jnp.median
quantile = jnp.quantile
nansum = jnp.nansum
nanprod = jnp.nanprod
nanmean = jnp.nanmean
nanmax = jnp.nanmax
nanmin = jnp.nanmin
nanmedian = jnp.nanmedian
nanquantile = jnp.nanquantile


def average(
    x: Array, weights: Array, *, axis: int | Sequence[int] | None, keepdims: bool
) -> Array:
    """sum(weights * x) / sum(weights) over axis."""
    weights = jnp.broadcast_to(weights, x.shape)
    return jnp.average(x, axis=axis, weights=weights, keepdims=keepdims)


def nanvar(
    x: Array, *, axis: int | Sequence[int] | None, keepdims: bool, ddof: int
) -> Array:
    """The variance of what is not NaN over axis."""
    return jnp.nanvar(x, axis=axis, keepdims=keepdims, ddof=ddof)


def nanstd(
    x: Array, *, axis: int | Sequence[int] | None, keepdims: bool, ddof: int
) -> Array:
    """sqrt(nanvar(x)) over axis."""
    return jnp.nanstd(x, axis=axis, keepdims=keepdims, ddof=ddof)
