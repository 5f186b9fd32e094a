"""Pooling over the spatial axes, the ones before the last."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import Array


def pool_windows(
    x: Array,
    window: Sequence[int],
    strides: int | Sequence[int] | None,
    padding: str | Sequence[tuple[int, int]],
    ceil_mode: bool,
) -> tuple[list[int], list[int], list[tuple[int, int]], list[tuple[int, int]]]:
    """Window, strides, padding and what ceil_mode adds to it, for all axes of x."""
    n = len(window)
    strides = window if strides is None else strides
    strides = [strides] * n if isinstance(strides, int) else strides
    sizes = x.shape[-n - 1 : -1]
    if isinstance(padding, str):
        padding = jax.lax.padtype_to_pads(sizes, window, strides, padding)
    beyond = [(0, 0)] * n
    if ceil_mode:
        for i, (low, high) in enumerate(padding):
            end = low + sizes[i]
            steps = -((window[i] - end - high) // strides[i])
            last = min(steps, (end - 1) // strides[i]) * strides[i]
            beyond[i] = (0, max(last + window[i] - end - high, 0))
    lead, none = [1] * (x.ndim - n - 1), [(0, 0)] * (x.ndim - n - 1)
    return (
        [*lead, *window, 1],
        [*lead, *strides, 1],
        [*none, *padding, (0, 0)],
        [*none, *beyond, (0, 0)],
    )


def max_pool(
    x: Array,
    *,
    window: Sequence[int],
    strides: int | Sequence[int] | None,
    padding: str | Sequence[tuple[int, int]],
    ceil_mode: bool,
) -> Array:
    """The greatest value of each window."""
    sizes, steps, pads, beyond = pool_windows(x, window, strides, padding, ceil_mode)
    pads = [(a, b + more) for (a, b), (_, more) in zip(pads, beyond, strict=True)]
    y: Array = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, sizes, steps, pads)
    return y


def min_pool(
    x: Array,
    *,
    window: Sequence[int],
    strides: int | Sequence[int] | None,
    padding: str | Sequence[tuple[int, int]],
    ceil_mode: bool,
) -> Array:
    """The least value of each window."""
    sizes, steps, pads, beyond = pool_windows(x, window, strides, padding, ceil_mode)
    pads = [(a, b + more) for (a, b), (_, more) in zip(pads, beyond, strict=True)]
    y: Array = jax.lax.reduce_window(x, jnp.inf, jax.lax.min, sizes, steps, pads)
    return y


def avg_pool(
    x: Array,
    *,
    window: Sequence[int],
    strides: int | Sequence[int] | None,
    padding: str | Sequence[tuple[int, int]],
    ceil_mode: bool,
    count_include_pad: bool,
) -> Array:
    """The mean of each window, in float32."""
    sizes, steps, pads, beyond = pool_windows(x, window, strides, padding, ceil_mode)
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = jax.lax.reduce_window(jnp.pad(y, pads), 0.0, jax.lax.add, sizes, steps, beyond)
    n = len(window)
    ones = jnp.ones([1] * (x.ndim - n - 1) + [*x.shape[-n - 1 : -1], 1], y.dtype)
    ones = jnp.pad(ones, pads, constant_values=count_include_pad)
    counts = jax.lax.reduce_window(ones, 0.0, jax.lax.add, sizes, steps, beyond)
    mean: Array = y / counts
    return mean.astype(x.dtype)


def adaptive_pool(
    x: Array, sizes: Sequence[int], reduce: Callable[..., Array]
) -> Array:
    """Each spatial axis in parts, which may overlap by an element, and reduced."""
    for axis, count in enumerate(sizes, x.ndim - 1 - len(sizes)):
        n = x.shape[axis]
        ends = [(i * n // count, -(-(i + 1) * n // count)) for i in range(count)]
        parts = [jax.lax.slice_in_dim(x, a, b, axis=axis) for a, b in ends]
        means = [reduce(part, axis=axis, keepdims=True) for part in parts]
        x = jnp.concatenate(means, axis=axis)
    return x


def adaptive_avg_pool(x: Array, *, sizes: Sequence[int]) -> Array:
    """The mean of n parts of each spatial axis, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return adaptive_pool(y, sizes, jnp.mean).astype(x.dtype)


def adaptive_max_pool(x: Array, *, sizes: Sequence[int]) -> Array:
    """The greatest value of n parts of each spatial axis."""
    return adaptive_pool(x, sizes, jnp.max)
