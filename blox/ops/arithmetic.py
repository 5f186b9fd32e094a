"""Arithmetic: Python's operators and functions of `jax.numpy`."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array

from .inline import inline

maximum = jnp.maximum
minimum = jnp.minimum
clip = jnp.clip
stop_gradient = jax.lax.stop_gradient


@inline
def add(a: Array, b: Array) -> Array:
    return a + b


@inline
def subtract(a: Array, b: Array) -> Array:
    return a - b


@inline
def multiply(a: Array, b: Array) -> Array:
    return a * b


@inline
def divide(a: Array, b: Array) -> Array:
    return a / b


@inline
def floor_divide(a: Array, b: Array) -> Array:
    return a // b


@inline
def remainder(a: Array, b: Array) -> Array:
    return a % b


@inline
def power(a: Array, b: Array) -> Array:
    return a**b


@inline
def negative(x: Array) -> Array:
    return -x


@inline
def matmul(a: Array, b: Array) -> Array:
    return a @ b


def einsum(xs: Sequence[Array], *, equation: str) -> Array:
    """The sum of products that the equation says."""
    return jnp.einsum(equation, *xs)
