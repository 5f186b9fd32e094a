"""Integers bit by bit: Python's operators and functions of `jax.lax`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from .inline import inline

population_count = jax.lax.population_count
clz = jax.lax.clz


@inline
def bitwise_and(a: Array, b: Array) -> Array:
    return a & b


@inline
def bitwise_or(a: Array, b: Array) -> Array:
    return a | b


@inline
def bitwise_xor(a: Array, b: Array) -> Array:
    return a ^ b


@inline
def bitwise_not(x: Array) -> Array:
    return ~x


@inline
def left_shift(a: Array, b: Array) -> Array:
    return a << b


@inline
def right_shift(a: Array, b: Array) -> Array:
    return a >> b


def right_shift_logical(a: Array | int, b: Array | int) -> Array:
    """a with its bits moved down by b, zeros above them."""
    kind = jnp.result_type(a, b)
    a, b = jnp.broadcast_arrays(jnp.asarray(a, kind), jnp.asarray(b, kind))
    return jax.lax.shift_right_logical(a, b)


@inline
def bitcast_convert_type(x: Array, *, dtype: Any) -> Array:
    return jax.lax.bitcast_convert_type(x, dtype)


def packbits(x: Array, *, axis: int, bitorder: str) -> Array:
    """Eight booleans along axis as a byte."""
    return jnp.packbits(x, axis, bitorder)


def unpackbits(x: Array, *, axis: int, bitorder: str) -> Array:
    """The bits of bytes along axis."""
    places = jnp.arange(8) if bitorder == "little" else jnp.arange(7, -1, -1)
    y = jnp.moveaxis(x, axis, -1)
    bits = y[..., None] >> places.astype(x.dtype) & 1
    return jnp.moveaxis(bits.reshape(*y.shape[:-1], 8 * y.shape[-1]), -1, axis)


def mulhi(a: Array | int, b: Array | int) -> Array:
    """The upper half of the bits of a * b."""
    kind = jnp.result_type(a, b)
    a, b = jnp.broadcast_arrays(jnp.asarray(a, kind), jnp.asarray(b, kind))
    return jax.lax.mulhi(a, b)
