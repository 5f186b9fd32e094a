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
nanargmax = jnp.nanargmax
nanargmin = jnp.nanargmin
nancumsum = jnp.nancumsum
nancumprod = jnp.nancumprod


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


def cov(x: Array, *, ddof: int) -> Array:
    """How much rows of x vary together."""
    y = x - jnp.mean(x, axis=-1, keepdims=True)
    return y @ y.mT / (x.shape[-1] - ddof)


def corrcoef(x: Array) -> Array:
    """The covariance of rows, divided by their standard deviations."""
    y = x - jnp.mean(x, axis=-1, keepdims=True)
    y = y / jnp.linalg.vector_norm(y, axis=-1, keepdims=True)
    return jnp.clip(y @ y.mT, -1, 1)
