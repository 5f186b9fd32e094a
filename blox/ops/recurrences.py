"""Recurrences that are linear."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array


def _step(y: Array, ab: tuple[Array, Array]) -> tuple[Array, Array]:
    """One step of y = a * y + b, as a carry and as an output."""
    y = ab[0] * y + ab[1]
    return y, y


def _steps(one: tuple[Array, Array], two: tuple[Array, Array]) -> tuple[Array, Array]:
    """Two steps, or runs of them, as one: y -> a * y + b."""
    return one[0] * two[0], two[0] * one[1] + two[1]


def linear_recurrence(
    a: Array | float,
    b: Array | float,
    initial: Array | float | None = None,
    *,
    axis: int,
    reverse: bool,
) -> Array:
    """y[t] = a[t] * y[t - 1] + b[t] along an axis, in float32 at least."""
    kind = jnp.result_type(a, b) if initial is None else jnp.result_type(a, b, initial)
    wide = jnp.promote_types(kind, jnp.float32)
    rate, y = jnp.broadcast_arrays(jnp.asarray(a, wide), jnp.asarray(b, wide))
    axis = axis % y.ndim
    start = jnp.zeros((*y.shape[:axis], *y.shape[axis + 1 :]), wide)
    if initial is not None:
        start = start + initial
    if jax.export.is_symbolic_dim(y.shape[axis]):
        steps = (jnp.moveaxis(rate, axis, 0), jnp.moveaxis(y, axis, 0))
        _, y = jax.lax.scan(_step, start, steps, reverse=reverse)
        return jnp.moveaxis(y, 0, axis).astype(kind)
    rate, y = jax.lax.associative_scan(_steps, (rate, y), reverse=reverse, axis=axis)
    if initial is not None:
        y = y + rate * jnp.expand_dims(start, axis)
    return jnp.asarray(y, kind)
