"""Pooling over the spatial axes, the ones before the last."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax import Array


def _window_steps(
    window: Sequence[int], strides: int | Sequence[int] | None
) -> Sequence[int]:
    """A step per axis: the window's own by default."""
    if strides is None:
        return window
    return [strides] * len(window) if isinstance(strides, int) else strides


def _ceil_pads(
    sizes: Sequence[int],
    window: Sequence[int],
    steps: Sequence[int],
    padding: str | Sequence[tuple[int, int]],
) -> list[tuple[int, int]]:
    """Padding with room at the end for a last window that begins within it."""
    if isinstance(padding, str):
        padding = jax.lax.padtype_to_pads(sizes, window, steps, padding)
    pads = []
    for (low, high), n, size, step in zip(padding, sizes, window, steps, strict=True):
        count = -((size - low - n - high) // step)
        last = min(count, (low + n - 1) // step) * step
        pads.append((low, high + max(last + size - low - n - high, 0)))
    return pads


def _all_sizes(x: Array, sizes: Sequence[int]) -> Sequence[int]:
    """Sizes of the spatial axes, and 1 for the others."""
    return [*[1] * (x.ndim - len(sizes) - 1), *sizes, 1]


def _all_pads(
    x: Array, window: Sequence[int], pads: Sequence[tuple[int, int]]
) -> Sequence[tuple[int, int]]:
    """Padding of the spatial axes, and none of the others."""
    return [*[(0, 0)] * (x.ndim - len(window) - 1), *pads, (0, 0)]


def max_pool(
    x: Array,
    *,
    window: Sequence[int],
    strides: int | Sequence[int] | None,
    padding: str | Sequence[tuple[int, int]],
    ceil_mode: bool,
) -> Array:
    """The greatest value of each window."""
    steps = _window_steps(window, strides)
    pads = padding if isinstance(padding, str) else _all_pads(x, window, padding)
    if ceil_mode:
        sizes = x.shape[-len(window) - 1 : -1]
        room = _ceil_pads(sizes, window, steps, padding)
        pads = _all_pads(x, window, room)
    every = _all_sizes(x, window)
    by = _all_sizes(x, steps)
    y: Array = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, every, by, pads)
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
    steps = _window_steps(window, strides)
    pads = padding if isinstance(padding, str) else _all_pads(x, window, padding)
    if ceil_mode:
        sizes = x.shape[-len(window) - 1 : -1]
        room = _ceil_pads(sizes, window, steps, padding)
        pads = _all_pads(x, window, room)
    every = _all_sizes(x, window)
    by = _all_sizes(x, steps)
    y: Array = jax.lax.reduce_window(x, jnp.inf, jax.lax.min, every, by, pads)
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
    steps = _window_steps(window, strides)
    sizes = x.shape[-len(window) - 1 : -1]
    pads = padding if isinstance(padding, str) else _all_pads(x, window, padding)
    if ceil_mode:
        room = _ceil_pads(sizes, window, steps, padding)
        pads = _all_pads(x, window, room)
    every = _all_sizes(x, window)
    by = _all_sizes(x, steps)
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    total: Array = jax.lax.reduce_window(y, 0.0, jax.lax.add, every, by, pads)
    if (count_include_pad or padding == "VALID") and not ceil_mode:
        return (total / math.prod(window)).astype(jnp.result_type(x, float))
    ones = jnp.ones((*[1] * (x.ndim - len(window) - 1), *sizes, 1), y.dtype)
    if count_include_pad:
        given: Sequence[tuple[int, int]] = (
            jax.lax.padtype_to_pads(sizes, window, steps, padding)
            if isinstance(padding, str)
            else padding
        )
        ones = jnp.pad(ones, _all_pads(x, window, given), constant_values=1)
        room = _ceil_pads(sizes, window, steps, padding)
        over = [(0, b - d) for (_, b), (_, d) in zip(room, given, strict=True)]
        pads = _all_pads(x, window, over)
    counts: Array = jax.lax.reduce_window(ones, 0.0, jax.lax.add, every, by, pads)
    return (total / counts).astype(jnp.result_type(x, float))


def _adaptive_pool(x: Array, sizes: Sequence[int], pool: Callable[..., Array]) -> Array:
    """Each spatial axis in parts, which may overlap by an element, and reduced."""
    for axis, count in enumerate(sizes, x.ndim - 1 - len(sizes)):
        n = x.shape[axis]
        ends = [(i * n // count, -(-(i + 1) * n // count)) for i in range(count)]
        parts = [jax.lax.slice_in_dim(x, a, b, axis=axis) for a, b in ends]
        means = [pool(part, axis=axis, keepdims=True) for part in parts]
        x = jnp.concatenate(means, axis=axis)
    return x


def adaptive_avg_pool(x: Array, *, sizes: Sequence[int]) -> Array:
    """The mean of n parts of each spatial axis, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return _adaptive_pool(y, sizes, jnp.mean).astype(jnp.result_type(x, float))


def adaptive_max_pool(x: Array, *, sizes: Sequence[int]) -> Array:
    """The greatest value of n parts of each spatial axis."""
    return _adaptive_pool(x, sizes, jnp.max)
