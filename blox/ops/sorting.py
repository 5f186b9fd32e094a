"""Order: `jax.numpy`'s functions, for leading dims."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from .inline import inline

argsort = jnp.argsort
sort = jnp.sort
top_k = jax.lax.top_k


@inline
def partition(x: Array, *, kth: int, axis: int) -> Array:
    return jnp.partition(x, kth, axis)


@inline
def argpartition(x: Array, *, kth: int, axis: int) -> Array:
    return jnp.argpartition(x, kth, axis)


def lexsort(xs: Sequence[Array], *, axis: int) -> Array:
    """The indices that sort by several keys, the last one first."""
    return jnp.lexsort(tuple(xs), axis)


def unique(
    x: Array, *, size: int, fill_value: float | None
) -> tuple[Array, Array, Array]:
    """The distinct elements of the last axis, where each element is, and how often."""
    find = partial(
        jnp.unique,
        return_inverse=True,
        return_counts=True,
        size=size,
        fill_value=fill_value,
    )
    found: tuple[Array, Array, Array] = jnp.vectorize(
        find, signature="(n)->(k),(n),(k)"
    )(x)
    return found


def nonzero(x: Array, *, size: int, fill_value: int) -> Array:
    """The indices along the last axis of what is not 0."""
    find = partial(jnp.flatnonzero, size=size, fill_value=fill_value)
    found: Array = jnp.vectorize(find, signature="(n)->(k)")(x)
    return found
