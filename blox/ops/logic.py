"""Comparison, logic and choice."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from .inline import inline

logical_and = jnp.logical_and
logical_or = jnp.logical_or
logical_xor = jnp.logical_xor
logical_not = jnp.logical_not
isfinite = jnp.isfinite
isinf = jnp.isinf
isposinf = jnp.isposinf
isneginf = jnp.isneginf
isnan = jnp.isnan
signbit = jnp.signbit
isclose = jnp.isclose
isin = jnp.isin
where = jnp.where


@inline
def equal(a: Array, b: Array) -> Array:
    return a == b


@inline
def not_equal(a: Array, b: Array) -> Array:
    return a != b


@inline
def less(a: Array, b: Array) -> Array:
    return a < b


@inline
def less_equal(a: Array, b: Array) -> Array:
    return a <= b


@inline
def greater(a: Array, b: Array) -> Array:
    return a > b


@inline
def greater_equal(a: Array, b: Array) -> Array:
    return a >= b


def default(x: Array | None, default: Array | float) -> Array:
    """x, or the default where x is absent."""
    return jnp.asarray(default) if x is None else x
