"""Arithmetic: Python's operators and functions of `jax.numpy`."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array

from .inline import inline

maximum = jnp.maximum
minimum = jnp.minimum
fmax = jnp.fmax
fmin = jnp.fmin
fmod = jnp.fmod
float_power = jnp.float_power
atan2 = jnp.atan2
hypot = jnp.hypot
logaddexp = jnp.logaddexp
logaddexp2 = jnp.logaddexp2
copysign = jnp.copysign
nextafter = jnp.nextafter
heaviside = jnp.heaviside
ldexp = jnp.ldexp
gcd = jnp.gcd
lcm = jnp.lcm
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


def trunc_divide(a: Array | float, b: Array | float) -> Array:
    """a / b, rounded towards 0, of the common dtype."""
    kind = jnp.result_type(a, b)
    a, b = jnp.broadcast_arrays(jnp.asarray(a, kind), jnp.asarray(b, kind))
    return jnp.trunc(jax.lax.div(a, b))
