"""Images: other sizes, samples at any place, regions, normalisation by neighbours."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array


def _mixed(x: Array, start: Array, weights: Sequence[Array], axis: int) -> Array:
    """Elements from start on, times weights; beyond the ends stand the last elements."""
    total = jnp.zeros((), x.dtype)
    for i, weight in enumerate(weights):
        part = jnp.take(x, start + i, axis, mode="clip")
        total = total + part * jnp.expand_dims(weight, range(1, x.ndim - axis))
    return total


def _cubic(w: Array) -> list[Array]:
    """The weights of four elements by Keys' cubic, w behind the second one."""
    far = [-0.75 * ((t - 5) * t + 8) * t + 3 for t in (1 + w, 2 - w)]
    near = [(1.25 * t - 2.25) * t * t + 1 for t in (w, 1 - w)]
    return [far[0], *near, far[1]]


def resize(
    x: Array, *, sizes: Sequence[int], method: str, coordinates: str, antialias: bool
) -> Array:
    """x (..., spatial..., features) -> (..., sizes..., features)."""
    first = x.ndim - 1 - len(sizes)
    if coordinates == "half_pixel" and method != "cubic_edge":
        shape = (*x.shape[:first], *sizes, x.shape[-1])
        resized: Array = jax.image.resize(x, shape, method, antialias=antialias)
        return resized
    y = x
    if method != "nearest":
        y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    for axis, size in enumerate(sizes, first):
        n = x.shape[axis]
        if coordinates == "align_corners":
            at = jnp.arange(size) * ((n - 1) / jnp.maximum(size - 1, 1))
        elif coordinates == "asymmetric":
            at = jnp.arange(size) * (n / size)
        else:
            at = (jnp.arange(size) + 0.5) * (n / size) - 0.5
        low = jnp.floor(at).astype(jnp.int32)
        if method == "nearest":
            y = jnp.take(y, low, axis, mode="clip")
        elif method == "linear":
            y = _mixed(y, low, [1 - (at - low), at - low], axis)
        else:
            y = _mixed(y, low - 1, _cubic(at - low), axis)
    return y if method == "nearest" else y.astype(jnp.result_type(x.dtype, float))


def scale_and_translate(
    x: Array,
    scale: Array,
    translation: Array,
    *,
    sizes: Sequence[int],
    method: str,
    antialias: bool,
) -> Array:
    """x (..., spatial..., features) -> (..., sizes..., features), scaled and moved."""
    axes = range(x.ndim)[-1 - len(sizes) : -1]
    shape = (*x.shape[: axes[0]], *sizes, x.shape[-1])
    y: Array = jax.image.scale_and_translate(
        x, shape, axes, scale, translation, method, antialias
    )
    return y


def _elements(x: Array, places: Sequence[Array]) -> Array:
    """x (..., spatial..., features) at places (..., k) -> (..., k, features)."""
    first = x.ndim - 1 - len(places)
    sizes = x.shape[first:-1]
    index = places[0]
    for place, size in zip(places[1:], sizes[1:], strict=True):
        index = index * size + place
    flat = x.reshape(*x.shape[:first], math.prod(sizes), x.shape[-1])
    return jnp.take_along_axis(flat, index[..., None], -2, mode="clip")


def _between(x: Array, at: Sequence[Array]) -> Array:
    """As _elements, linear between elements; the places lie within the image."""
    sizes = x.shape[x.ndim - 1 - len(at) : -1]
    lows = [jnp.floor(a) for a in at]
    total = jnp.zeros((), x.dtype)
    for corner in itertools.product((0, 1), repeat=len(at)):
        places = []
        weight = jnp.ones((), at[0].dtype)
        for a, low, step, size in zip(at, lows, corner, sizes, strict=True):
            weight = weight * (a - low if step else 1 - (a - low))
            places.append(jnp.minimum(low + step, size - 1).astype(jnp.int32))
        total = total + _elements(x, places) * weight[..., None]
    return total


def _weighted(
    x: Array, at: Sequence[Sequence[Array]], weights: Sequence[Sequence[Array]]
) -> Array:
    """The sum of the elements at all combinations of places, times their weights."""
    total = jnp.zeros((), x.dtype)
    for steps in itertools.product(range(4), repeat=len(at)):
        weight = jnp.ones((), weights[0][0].dtype)
        places = []
        for each, own, step in zip(at, weights, steps, strict=True):
            weight = weight * own[step]
            places.append(each[step].astype(jnp.int32))
        total = total + _elements(x, places) * weight[..., None]
    return total


def _mirrored(place: Array, size: int, align_corners: bool) -> Array:
    """A place of the image continued by mirrors at its ends."""
    low = 0 if align_corners else -0.5
    span = jnp.maximum(size - 1, 1) if align_corners else size
    turn = jnp.abs(place - low) % (2 * span)
    return jnp.minimum(turn, 2 * span - turn) + low


def grid_sample(
    x: Array, grid: Array, *, method: str, padding_mode: str, align_corners: bool
) -> Array:
    """x (..., spatial..., features) at the places (..., places..., n) of the grid."""
    n = grid.shape[-1]
    first = x.ndim - 1 - n
    units = grid.astype(jnp.promote_types(grid.dtype, jnp.float32))
    units = units.reshape(*grid.shape[:first], math.prod(grid.shape[first:-1]), n)
    image = x
    if padding_mode == "zeros":
        image = jnp.pad(x, [*[(0, 0)] * first, *[(1, 1)] * n, (0, 0)])

    def within(place: Array, size: int) -> Array:
        if padding_mode == "zeros":
            return jnp.clip(place + 1, 0, size + 1)
        return jnp.clip(place, 0, size - 1)

    at: list[Array] = []
    taps: list[list[Array]] = []
    weights: list[list[Array]] = []
    for i, size in enumerate(x.shape[first:-1]):
        # The grid has the last axis of the image first.
        unit = (units[..., n - 1 - i] + 1) / 2
        place = unit * (size - 1) if align_corners else unit * size - 0.5
        if method == "cubic":
            low = jnp.floor(place)
            weights.append(_cubic(place - low))
            each = [low + step for step in (-1, 0, 1, 2)]
            if padding_mode == "reflection":
                each = [_mirrored(tap, size, align_corners) for tap in each]
            taps.append([within(tap, size) for tap in each])
        else:
            if padding_mode == "reflection":
                place = _mirrored(place, size, align_corners)
            at.append(within(jnp.round(place) if method == "nearest" else place, size))
    if method == "nearest":
        y = _elements(image, [a.astype(jnp.int32) for a in at])
    elif method == "cubic":
        y = _weighted(image, taps, weights).astype(jnp.result_type(x.dtype, float))
    else:
        y = _between(image, at).astype(jnp.result_type(x.dtype, float))
    return y.reshape(*grid.shape[:-1], x.shape[-1])


def affine_grid(theta: Array, *, sizes: Sequence[int], align_corners: bool) -> Array:
    """theta (..., n, n + 1) -> grid (..., sizes..., n)."""
    axes = []
    for size in sizes:
        most = jnp.maximum(size - 1, 1) if align_corners else size
        axes.append((2 * jnp.arange(size) + 1 - size) / most)
    places = jnp.meshgrid(*axes, indexing="ij")
    ones = jnp.ones(tuple(sizes))
    known = jnp.stack([*places[::-1], ones], -1)
    rows = known.reshape(math.prod(sizes), len(sizes) + 1)
    rows = rows.astype(jnp.result_type(theta.dtype, float))
    grid = jnp.matmul(rows, theta.swapaxes(-1, -2), precision="highest")
    return grid.reshape(*theta.shape[:-2], *sizes, len(sizes))


def roi_align(
    x: Array,
    boxes: Array,
    *,
    sizes: Sequence[int],
    spatial_scale: float,
    sampling_ratio: int,
    aligned: bool,
) -> Array:
    """x (..., height, width, features), boxes (..., k, 4) -> (..., k, sizes..., features)."""
    dtype = jnp.promote_types(boxes.dtype, jnp.float32)
    corners = boxes.astype(dtype) * spatial_scale - (0.5 if aligned else 0)
    places = []
    inside = []
    for i, (size, n) in enumerate(zip(sizes, x.shape[-3:-1], strict=True)):
        low, high = corners[..., 1 - i], corners[..., 3 - i]
        extent = high - low if aligned else jnp.maximum(high - low, 1)
        steps = (jnp.arange(size * sampling_ratio) + 0.5) / (size * sampling_ratio)
        place = low[..., None] + extent[..., None] * steps
        inside.append((place >= -1) & (place <= n))
        places.append(jnp.clip(place, 0, n - 1))
    rows, columns = places
    k = (*rows.shape, columns.shape[-1])
    flat = (*boxes.shape[:-2], math.prod(k[-3:]))
    at = [
        jnp.broadcast_to(rows[..., None], k).reshape(flat),
        jnp.broadcast_to(columns[..., None, :], k).reshape(flat),
    ]
    y = _between(x, at)
    seen = inside[0][..., None] & inside[1][..., None, :]
    y = jnp.where(seen.reshape(flat)[..., None], y, 0)
    height, width = sizes
    parts = (height, sampling_ratio, width, sampling_ratio, x.shape[-1])
    y = y.reshape(*boxes.shape[:-1], *parts)
    return y.mean((-4, -2)).astype(jnp.result_type(x.dtype, float))


def local_response_norm(
    x: Array, *, size: int, alpha: float, beta: float, k: float
) -> Array:
    """x less strong where its neighbours among the features are, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    ones = [1] * (x.ndim - 1)
    pads = [*[(0, 0)] * (x.ndim - 1), (size // 2, (size - 1) // 2)]
    total: Array = jax.lax.reduce_window(
        jnp.square(y), 0.0, jax.lax.add, [*ones, size], [*ones, 1], pads
    )
    y = y * (k + alpha / size * total) ** -beta
    return y.astype(jnp.result_type(x.dtype, float))
