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


def _reach(window: Sequence[int], dilation: int | Sequence[int]) -> Sequence[int]:
    """The elements from the first of a window to its last."""
    rates = [dilation] * len(window) if isinstance(dilation, int) else dilation
    return [rate * (size - 1) + 1 for size, rate in zip(window, rates, strict=True)]


def _all_rates(x: Array, dilation: int | Sequence[int], n: int) -> Sequence[int] | None:
    """Dilation of the n spatial axes, and 1 for the others."""
    if dilation == 1:
        return None
    rates = [dilation] * n if isinstance(dilation, int) else dilation
    return [*[1] * (x.ndim - n - 1), *rates, 1]


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


def _dilated_pool(
    x: Array,
    window: Sequence[int],
    steps: Sequence[int],
    pads: str | Sequence[tuple[int, int]],
    dilation: int | Sequence[int],
    pool: Callable[..., Array],
    fill: float,
) -> Array:
    """Axis by axis: JAX has no gradient of maxima over dilated windows."""
    first = x.ndim - 1 - len(window)
    rates = [dilation] * len(window) if isinstance(dilation, int) else dilation
    if isinstance(pads, str):
        sizes, reach = x.shape[first:-1], _reach(window, dilation)
        pads = _all_pads(x, window, jax.lax.padtype_to_pads(sizes, reach, steps, pads))
    y = jnp.pad(x, pads, constant_values=fill)
    for axis, (size, step, rate) in enumerate(
        zip(window, steps, rates, strict=True), first
    ):
        count = (y.shape[axis] - rate * (size - 1) - 1) // step + 1
        places = step * jnp.arange(count)[:, None] + rate * jnp.arange(size)
        y = pool(jnp.take(y, places, axis, mode="clip"), axis=axis + 1)
    return y


def max_pool(
    x: Array,
    *,
    window: Sequence[int],
    strides: int | Sequence[int] | None,
    padding: str | Sequence[tuple[int, int]],
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool,
) -> Array:
    """The greatest value of each window."""
    steps = _window_steps(window, strides)
    pads = padding if isinstance(padding, str) else _all_pads(x, window, padding)
    if ceil_mode:
        sizes = x.shape[-len(window) - 1 : -1]
        room = _ceil_pads(sizes, _reach(window, dilation), steps, padding)
        pads = _all_pads(x, window, room)
    if dilation != 1:
        return _dilated_pool(x, window, steps, pads, dilation, jnp.max, -jnp.inf)
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
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool,
) -> Array:
    """The least value of each window."""
    steps = _window_steps(window, strides)
    pads = padding if isinstance(padding, str) else _all_pads(x, window, padding)
    if ceil_mode:
        sizes = x.shape[-len(window) - 1 : -1]
        room = _ceil_pads(sizes, _reach(window, dilation), steps, padding)
        pads = _all_pads(x, window, room)
    if dilation != 1:
        return _dilated_pool(x, window, steps, pads, dilation, jnp.min, jnp.inf)
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
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool,
    count_include_pad: bool,
) -> Array:
    """The mean of each window, in float32."""
    steps = _window_steps(window, strides)
    sizes = x.shape[-len(window) - 1 : -1]
    pads = padding if isinstance(padding, str) else _all_pads(x, window, padding)
    if ceil_mode:
        room = _ceil_pads(sizes, _reach(window, dilation), steps, padding)
        pads = _all_pads(x, window, room)
    every = _all_sizes(x, window)
    by = _all_sizes(x, steps)
    rates = _all_rates(x, dilation, len(window))
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    total: Array = jax.lax.reduce_window(
        y, 0.0, jax.lax.add, every, by, pads, window_dilation=rates
    )
    if (count_include_pad or padding == "VALID") and not ceil_mode:
        return (total / math.prod(window)).astype(jnp.result_type(x, float))
    ones = jnp.ones((*[1] * (x.ndim - len(window) - 1), *sizes, 1), y.dtype)
    if count_include_pad:
        given: Sequence[tuple[int, int]] = (
            jax.lax.padtype_to_pads(sizes, _reach(window, dilation), steps, padding)
            if isinstance(padding, str)
            else padding
        )
        ones = jnp.pad(ones, _all_pads(x, window, given), constant_values=1)
        room = _ceil_pads(sizes, _reach(window, dilation), steps, padding)
        over = [(0, b - d) for (_, b), (_, d) in zip(room, given, strict=True)]
        pads = _all_pads(x, window, over)
    counts: Array = jax.lax.reduce_window(
        ones, 0.0, jax.lax.add, every, by, pads, window_dilation=rates
    )
    return (total / counts).astype(jnp.result_type(x, float))


def lp_pool(
    x: Array,
    *,
    window: Sequence[int],
    strides: int | Sequence[int] | None,
    padding: str | Sequence[tuple[int, int]],
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool,
    power: float,
) -> Array:
    """The norm of each window, in float32."""
    steps = _window_steps(window, strides)
    pads: str | Sequence[tuple[int, int]] = (
        padding if isinstance(padding, str) else _all_pads(x, window, padding)
    )
    if ceil_mode:
        sizes = x.shape[-len(window) - 1 : -1]
        room = _ceil_pads(sizes, _reach(window, dilation), steps, padding)
        pads = _all_pads(x, window, room)
    every = _all_sizes(x, window)
    by = _all_sizes(x, steps)
    rates = _all_rates(x, dilation, len(window))
    y = jnp.abs(x.astype(jnp.promote_types(x.dtype, jnp.float32))) ** power
    total: Array = jax.lax.reduce_window(
        y, 0.0, jax.lax.add, every, by, pads, window_dilation=rates
    )
    # The root has no slope at 0.
    some = jnp.where(total > 0, total, 1)
    root = jnp.where(total > 0, some ** (1 / power), 0)
    return root.astype(jnp.result_type(x.dtype, float))


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
