"""Windows and blocks of images: patches, pooling with places, depth for space."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array


def _windows(
    x: Array,
    window: Sequence[int],
    strides: int | Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    dilation: int | Sequence[int],
    fill: float,
) -> Array:
    """x (..., spatial..., features) -> (..., places..., window..., features)."""
    n = len(window)
    first = x.ndim - 1 - n
    steps = [strides] * n if isinstance(strides, int) else strides
    rates = [dilation] * n if isinstance(dilation, int) else dilation
    pads = padding
    if isinstance(pads, str):
        reach = [
            rate * (size - 1) + 1 for rate, size in zip(rates, window, strict=True)
        ]
        pads = jax.lax.padtype_to_pads(x.shape[first:-1], reach, steps, pads)
    y = jnp.pad(x, [*[(0, 0)] * first, *pads, (0, 0)], constant_values=fill)
    for i, (size, step, rate) in enumerate(zip(window, steps, rates, strict=True)):
        axis = first + 2 * i
        count = (y.shape[axis] - rate * (size - 1) - 1) // step + 1
        places = step * jnp.arange(count)[:, None] + rate * jnp.arange(size)
        y = jnp.take(y, places, axis, mode="clip")
    inner = range(first + 1, first + 2 * n, 2)
    return jnp.moveaxis(y, inner, range(first + n, first + 2 * n))


def im2col(
    x: Array,
    *,
    window: Sequence[int],
    strides: int | Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    dilation: int | Sequence[int],
) -> Array:
    """Every window of x as one vector."""
    y = _windows(x, window, strides, padding, dilation, 0)
    features = math.prod(window) * x.shape[-1]
    return y.reshape(*y.shape[: x.ndim - 1], features)


def col2im(
    x: Array,
    *,
    sizes: Sequence[int],
    window: Sequence[int],
    strides: int | Sequence[int],
    padding: str | Sequence[tuple[int, int]],
    dilation: int | Sequence[int],
) -> Array:
    """The sum of all windows at their places: the transpose of im2col."""
    features = x.shape[-1] // math.prod(window)
    shape = (*x.shape[: -len(window) - 1], *sizes, features)
    spread = jax.linear_transpose(
        lambda image: _windows(image, window, strides, padding, dilation, 0),
        jax.eval_shape(lambda: jnp.zeros(shape, x.dtype)),
    )
    image: Array
    (image,) = spread(x.reshape(*x.shape[:-1], *window, features))
    return image


def max_pool_with_indices(
    x: Array,
    *,
    window: Sequence[int],
    strides: int | Sequence[int] | None,
    padding: str | Sequence[tuple[int, int]],
    dilation: int | Sequence[int],
) -> tuple[Array, Array]:
    """The greatest value of each window, and its place among all of its image."""
    n = len(window)
    steps = window if strides is None else strides
    sizes = x.shape[-n - 1 : -1]
    y = _windows(x, window, steps, padding, dilation, -jnp.inf)
    y = y.reshape(*y.shape[: x.ndim - 1], math.prod(window), x.shape[-1])
    best = y.argmax(-2, keepdims=True)
    all_places = jnp.arange(math.prod(sizes)).reshape(*sizes, 1)
    places = _windows(all_places, window, steps, padding, dilation, 0)
    places = places.reshape(*y.shape[-n - 2 : -1], 1)
    chosen = jnp.arange(math.prod(window))[:, None] == best
    values = jnp.where(chosen, y, 0).sum(-2)
    return values, jnp.where(chosen, places, 0).sum(-2)


def max_unpool(x: Array, indices: Array, *, sizes: Sequence[int]) -> Array:
    """Each value at its place in an image, zeros elsewhere."""
    first = x.ndim - 1 - len(sizes)
    rows = (math.prod(x.shape[:first]), math.prod(x.shape[first:-1]), x.shape[-1])
    image = jnp.zeros((rows[0], math.prod(sizes), rows[2]), x.dtype)
    batch = jnp.arange(rows[0])[:, None, None]
    places = indices.reshape(rows)
    image = image.at[batch, places, jnp.arange(rows[2])].set(x.reshape(rows))
    return image.reshape(*x.shape[:first], *sizes, x.shape[-1])


def depth_to_space(x: Array, *, block: Sequence[int], order: str) -> Array:
    """Features that become blocks of the image."""
    n = len(block)
    first = x.ndim - 1 - n
    features = x.shape[-1] // math.prod(block)
    between = range(first + 1, first + 2 * n, 2)
    if order == "DCR":
        y = x.reshape(*x.shape[:-1], *block, features)
        y = jnp.moveaxis(y, range(first + n, first + 2 * n), between)
    else:
        y = x.reshape(*x.shape[:-1], features, *block)
        y = jnp.moveaxis(y, range(first + n + 1, first + 2 * n + 1), between)
    sizes = [size * b for size, b in zip(x.shape[first:-1], block, strict=True)]
    return y.reshape(*x.shape[:first], *sizes, features)


def _blocks(x: Array, block: Sequence[int]) -> Array:
    """x (..., spatial..., features) with each axis as two: which block, where in it."""
    first = x.ndim - 1 - len(block)
    sizes = zip(x.shape[first:-1], block, strict=True)
    parts = [part for size, b in sizes for part in (size // b, b)]
    return x.reshape(*x.shape[:first], *parts, x.shape[-1])


def space_to_depth(x: Array, *, block: Sequence[int], order: str) -> Array:
    """Blocks of the image that become features."""
    n = len(block)
    first = x.ndim - 1 - n
    inner = range(first + 1, first + 2 * n, 2)
    if order == "DCR":
        last = range(first + n, first + 2 * n)
    else:
        last = range(first + n + 1, first + 2 * n + 1)
    y = jnp.moveaxis(_blocks(x, block), inner, last)
    return y.reshape(*y.shape[: first + n], math.prod(block) * x.shape[-1])


def window_partition(x: Array, *, window: Sequence[int]) -> Array:
    """x (..., spatial..., features) -> (..., windows, elements, features)."""
    n = len(window)
    first = x.ndim - 1 - n
    inner = range(first + 1, first + 2 * n, 2)
    y = jnp.moveaxis(_blocks(x, window), inner, range(first + n, first + 2 * n))
    count = math.prod(y.shape[first : first + n])
    return y.reshape(*x.shape[:first], count, math.prod(window), x.shape[-1])


def window_merge(x: Array, *, sizes: Sequence[int], window: Sequence[int]) -> Array:
    """x (..., windows, elements, features) -> (..., sizes..., features)."""
    n = len(window)
    first = x.ndim - 3
    counts = [size // w for size, w in zip(sizes, window, strict=True)]
    y = x.reshape(*x.shape[:first], *counts, *window, x.shape[-1])
    between = range(first + 1, first + 2 * n, 2)
    y = jnp.moveaxis(y, range(first + n, first + 2 * n), between)
    return y.reshape(*x.shape[:first], *sizes, x.shape[-1])
