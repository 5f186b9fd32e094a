"""Norms as people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp


def mean(x: jax.Array, axis: Any) -> jax.Array:
    return jnp.mean(x, axis=axis, keepdims=True)


def variance(x: jax.Array, axis: Any) -> jax.Array:
    return jnp.var(x, axis=axis, keepdims=True)


def square(x: jax.Array, axis: Any) -> jax.Array:
    return mean(jnp.square(x - mean(x, axis)), axis)


def times_root(x: jax.Array, square: jax.Array) -> jax.Array:
    return x * jax.lax.rsqrt(square)


def by_root(x: jax.Array, square: jax.Array) -> jax.Array:
    return x / jnp.sqrt(square)


def times_inverse(x: jax.Array, square: jax.Array) -> jax.Array:
    return x * (1 / jnp.sqrt(square))


ROOTS = (times_root, by_root, times_inverse)
Root = Callable[[jax.Array, jax.Array], jax.Array]


def standardized(
    x: jax.Array, *, axis: Any, eps: float, spread: Any, root: Root
) -> jax.Array:
    return root(x - mean(x, axis), spread(x, axis) + eps)


def scaled_first(
    x: jax.Array, scale: jax.Array, *, axis: Any, eps: float, spread: Any, root: Root
) -> jax.Array:
    return root(scale * (x - mean(x, axis)), spread(x, axis) + eps)


def scaled_root(
    x: jax.Array, scale: jax.Array, *, axis: Any, eps: float, spread: Any
) -> jax.Array:
    return (x - mean(x, axis)) * (scale * jax.lax.rsqrt(spread(x, axis) + eps))


def divided_scaled_first(
    x: jax.Array, scale: jax.Array, *, axis: Any, eps: float, root: Root
) -> jax.Array:
    return root(scale * x, mean(jnp.square(x), axis) + eps)


def divided_scaled_root(
    x: jax.Array, scale: jax.Array, *, axis: Any, eps: float
) -> jax.Array:
    return x * (scale * jax.lax.rsqrt(mean(jnp.square(x), axis) + eps))


def divided(x: jax.Array, *, axis: Any, eps: float, root: Root) -> jax.Array:
    return root(x, mean(jnp.square(x), axis) + eps)


def of_length_one(x: jax.Array, *, axis: Any, eps: float, root: Root) -> jax.Array:
    """Of eps the square."""
    square = jnp.sum(jnp.square(x), axis=axis, keepdims=True)
    return root(x, jnp.maximum(square, eps))


def over_length(x: jax.Array, *, axis: Any, eps: float) -> jax.Array:
    square = jnp.sum(jnp.square(x), axis=axis, keepdims=True)
    return x / jnp.maximum(jnp.sqrt(square), eps)


def over_bare_length(x: jax.Array, *, axis: Any) -> jax.Array:
    return x / jnp.sqrt(jnp.sum(jnp.square(x), axis=axis, keepdims=True))
