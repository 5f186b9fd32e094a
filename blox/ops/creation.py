"""Arrays made of attributes alone, or like another one."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array

from .inline import inline

zeros_like = jnp.zeros_like
ones_like = jnp.ones_like
full_like = jnp.full_like


@inline
def zeros(*, shape: tuple[int, ...], dtype: Any) -> Array:
    return jnp.zeros(shape, dtype)


@inline
def ones(*, shape: tuple[int, ...], dtype: Any) -> Array:
    return jnp.ones(shape, dtype)


@inline
def full(*, shape: tuple[int, ...], fill_value: float, dtype: Any) -> Array:
    return jnp.full(shape, fill_value, dtype)


def arange(*, start: int, stop: int, step: int, dtype: Any) -> Array:
    """start, start + step, ... below stop."""
    if start == 0 and step == 1:
        return jnp.arange(stop, dtype=dtype)
    if step == 1:
        return jnp.arange(start, stop, dtype=dtype)
    return jnp.arange(start, stop, step, dtype)


def eye(*, rows: int, columns: int | None, k: int, dtype: Any) -> Array:
    """1 on diagonal k, 0 beside it."""
    if k == 0:
        return jnp.eye(rows, columns, dtype=dtype)
    return jnp.eye(rows, columns, k, dtype)


def tri(*, rows: int, columns: int | None, k: int, dtype: Any) -> Array:
    """1 on diagonal k and below, 0 above."""
    return jnp.tri(rows, columns, k, dtype)


def linspace(
    *, start: float, stop: float, num: int, endpoint: bool, dtype: Any
) -> Array:
    """num numbers at equal distances from start to stop."""
    if endpoint:
        return jnp.linspace(start, stop, num, dtype=dtype)
    return jnp.linspace(start, stop, num, endpoint=False, dtype=dtype)


def logspace(
    *, start: float, stop: float, num: int, base: float, endpoint: bool, dtype: Any
) -> Array:
    """base ** linspace(start, stop, num)."""
    return jnp.logspace(start, stop, num, endpoint=endpoint, base=base, dtype=dtype)


def geomspace(
    *, start: float, stop: float, num: int, endpoint: bool, dtype: Any
) -> Array:
    """num numbers from start to stop, each the one before times the same factor."""
    return jnp.geomspace(start, stop, num, endpoint=endpoint, dtype=dtype)
