"""Arrays of the model as nodes."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array

from .inline import inline


@inline
def param(value: Array) -> Array:
    return value


@inline
def buffer(value: Array) -> Array:
    return value


@inline
def state(value: Array) -> Array:
    return value


def assign(to: Array, x: Array | float) -> Array:
    """x as the next value of a state, in its dtype."""
    if jnp.asarray(x).dtype != to.dtype:
        return jnp.asarray(x, to.dtype)
    return jnp.asarray(x)


@inline
def constant(*, value: Any, dtype: Any) -> Array:
    return jnp.array(value, dtype)
