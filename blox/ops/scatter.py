"""Gather and scatter; where indices are repeated, what comes of it has no order."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


def gather(
    x: Array, indices: Sequence[Array | int], *, axis: Sequence[int], mode: str
) -> Array:
    """The elements of x at indices of several axes, which stand where the first was."""
    first = min([a % x.ndim for a in axis])
    x = jnp.moveaxis(x, axis, range(first, first + len(axis)))
    return x.at[(*[slice(None)] * first, *indices)].get(mode=mode)


def _mapped(function: Callable[..., Array], count: int) -> Callable[..., Array]:
    """The function for each index of that many leading axes."""
    for _ in range(count):
        function = jax.vmap(function)
    return function


def gather_nd(x: Array, indices: Array, *, batch_dims: int, mode: str) -> Array:
    """The elements of x at the places that the last axis of indices says."""
    return _mapped(
        lambda x, i: jnp.asarray(x).at[tuple(jnp.moveaxis(i, -1, 0))].get(mode=mode),
        batch_dims,
    )(x, indices)


def _product(a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[Array, Array]:
    """The product, from the last start on; and whether there is a start."""
    return jnp.where(b[1], b[0], a[0] * b[0]), a[1] | b[1]


def _onward(
    a: tuple[Array, Array], b: tuple[Array, Array]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """The product, to carry on and to keep."""
    y = _product(a, b)
    return y, y


def _products(data: Array, segments: Array, num_segments: int) -> Array:
    """The product of the rows of each segment: sorted, and scanned from each start on."""
    order = jnp.argsort(segments)
    data, segments = jnp.take(data, order, 0), jnp.take(segments, order, 0)
    first = jnp.arange(segments.shape[0]) == 0
    starts = first | (segments != jnp.roll(segments, 1))
    flags = starts.reshape(-1, *[1] * (data.ndim - 1))
    if jax.export.is_symbolic_dim(segments.shape[0]):
        one = (jnp.ones(data.shape[1:], data.dtype), jnp.zeros(flags.shape[1:], bool))
        y = jax.lax.scan(_onward, one, (data, flags))[1][0]
    else:
        y = jax.lax.associative_scan(_product, (data, flags))[0]
    ends = jnp.roll(starts, -1) & (segments >= 0)
    ones = jnp.ones((num_segments, *data.shape[1:]), data.dtype)
    return ones.at[jnp.where(ends, segments, num_segments)].set(y, mode="drop")


def _last(sizes: Sequence[int], indices: Sequence[Array | int], mode: str) -> Array:
    """For each update the number of the last one at the same place; -1 outside."""
    shape = jnp.broadcast_shapes(*map(jnp.shape, indices))
    order = jnp.arange(math.prod(shape), dtype=jnp.int32).reshape(shape)
    at = tuple(indices)
    last = jnp.zeros(sizes, jnp.int32).at[at].max(order, mode=mode)
    if mode == "clip":
        return last.at[at].get(mode="clip")
    return last.at[at].get(mode="fill", fill_value=-1)


def _set(
    x: Array,
    indices: Sequence[Array | int],
    updates: Array | float,
    first: int,
    mode: str,
) -> Array:
    """x with the last of the updates of each place at indices of its axes from first on.

    All updates of a place write the same, so that their order is of no matter.
    """
    end = first + len(indices)
    last = _last(x.shape[first:end], indices, mode)
    shape = (*x.shape[:first], *last.shape, *x.shape[end:])
    rows = jnp.broadcast_to(jnp.asarray(updates, x.dtype), shape)
    rows = rows.reshape(*x.shape[:first], last.size, *x.shape[end:])
    before = [slice(None)] * first
    rows = rows.at[(*before, last)].get(mode="clip")
    return x.at[(*before, *indices)].set(rows, mode=mode)


def _multiply(
    x: Array,
    indices: Sequence[Array | int],
    updates: Array | float,
    first: int,
    mode: str,
) -> Array:
    """x times all updates of each place at indices of its axes from first on."""
    end = first + len(indices)
    last = _last(x.shape[first:end], indices, mode)
    shape = (*x.shape[:first], *last.shape, *x.shape[end:])
    rows = jnp.broadcast_to(jnp.asarray(updates, x.dtype), shape)
    rows = rows.reshape(*x.shape[:first], last.size, *x.shape[end:])
    rows = _products(jnp.moveaxis(rows, first, 0), last.ravel(), last.size)
    before = [slice(None)] * first
    rows = jnp.moveaxis(rows, 0, first).at[(*before, last)].get(mode="clip")
    at = (*before, *indices)
    return x.at[at].set(x.at[at].get(mode="clip") * rows, mode=mode)


def _joined(place: Any, updates: Array, reduce: str, mode: str) -> Array:
    """x with updates at a place, whose order is of no matter."""
    if reduce == "add":
        y: Array = place.add(updates, mode=mode)
    elif reduce == "min":
        y = place.min(updates, mode=mode)
    elif reduce == "max":
        y = place.max(updates, mode=mode)
    elif reduce == "multiply":
        y = place.multiply(updates, mode=mode, unique_indices=True)
    else:
        y = place.set(updates, mode=mode, unique_indices=True)
    return y


def scatter(
    x: Array,
    indices: Sequence[Array | int],
    updates: Array | float,
    *,
    axis: Sequence[int],
    reduce: str,
    mode: str,
    unique_indices: bool,
) -> Array:
    """x with updates at indices of several axes."""
    first = min([a % x.ndim for a in axis])
    places = range(first, first + len(axis))
    x = jnp.moveaxis(x, axis, places)
    if reduce == "set" and not unique_indices:
        y = _set(x, indices, updates, first, mode)
    elif reduce == "multiply" and not unique_indices:
        y = _multiply(x, indices, updates, first, mode)
    else:
        place = x.at[(*[slice(None)] * first, *indices)]
        y = _joined(place, jnp.asarray(updates, x.dtype), reduce, mode)
    return jnp.moveaxis(y, places, axis)


def _put_nd(
    x: Array,
    indices: Array,
    updates: Array | float,
    reduce: str,
    mode: str,
    unique_indices: bool,
) -> Array:
    """x with updates at the places that the last axis of indices says; no batch."""
    x, at = jnp.asarray(x), tuple(jnp.moveaxis(indices, -1, 0))
    if reduce == "set" and not unique_indices:
        return _set(x, at, updates, 0, mode)
    if reduce == "multiply" and not unique_indices:
        return _multiply(x, at, updates, 0, mode)
    return _joined(x.at[at], jnp.asarray(updates, x.dtype), reduce, mode)


def scatter_nd(
    x: Array,
    indices: Array,
    updates: Array | float,
    *,
    batch_dims: int,
    reduce: str,
    mode: str,
    unique_indices: bool,
) -> Array:
    """x with updates at the places that the last axis of indices says."""
    put = partial(_put_nd, reduce=reduce, mode=mode, unique_indices=unique_indices)
    return _mapped(put, batch_dims)(x, indices, updates)


def put_along_axis(
    x: Array,
    indices: Array,
    values: Array | float,
    *,
    axis: int,
    reduce: str,
    mode: str,
    unique_indices: bool,
) -> Array:
    """x with values at indices along an axis."""
    values = jnp.broadcast_to(jnp.asarray(values, x.dtype), indices.shape)
    if axis != -1:
        x, indices = jnp.moveaxis(x, axis, -1), jnp.moveaxis(indices, axis, -1)
        values = jnp.moveaxis(values, axis, -1)
    signature = "(n),(m),(m)->(n)"
    if reduce == "set" and not unique_indices:
        put = jnp.vectorize(
            lambda x, i, y: _set(x, [i], y, 0, mode), signature=signature
        )
    elif reduce == "multiply" and not unique_indices:
        put = jnp.vectorize(
            lambda x, i, y: _multiply(x, [i], y, 0, mode), signature=signature
        )
    else:
        put = jnp.vectorize(
            lambda x, i, y: _joined(x.at[i], y, reduce, mode), signature=signature
        )
    y: Array = put(x, indices, values)
    return y if axis == -1 else jnp.moveaxis(y, -1, axis)


def segment_sum(data: Array, segment_ids: Array, *, num_segments: int) -> Array:
    """The sum of the rows of each segment."""
    if segment_ids.ndim == 1:
        return jax.ops.segment_sum(data, segment_ids, num_segments)
    total = partial(jax.ops.segment_sum, num_segments=num_segments)
    return _mapped(total, segment_ids.ndim - 1)(data, segment_ids)


def segment_max(data: Array, segment_ids: Array, *, num_segments: int) -> Array:
    """The greatest of each segment, element by element."""
    if segment_ids.ndim == 1:
        return jax.ops.segment_max(data, segment_ids, num_segments)
    most = partial(jax.ops.segment_max, num_segments=num_segments)
    return _mapped(most, segment_ids.ndim - 1)(data, segment_ids)


def segment_min(data: Array, segment_ids: Array, *, num_segments: int) -> Array:
    """The least of each segment, element by element."""
    if segment_ids.ndim == 1:
        return jax.ops.segment_min(data, segment_ids, num_segments)
    least = partial(jax.ops.segment_min, num_segments=num_segments)
    return _mapped(least, segment_ids.ndim - 1)(data, segment_ids)


def segment_prod(data: Array, segment_ids: Array, *, num_segments: int) -> Array:
    """The product of the rows of each segment."""
    if segment_ids.ndim == 1:
        return _products(data, segment_ids, num_segments)
    product = partial(_products, num_segments=num_segments)
    return _mapped(product, segment_ids.ndim - 1)(data, segment_ids)


def _mean(data: Array, segments: Array, num_segments: int) -> Array:
    """The mean of the rows of each segment, for ids (n,)."""
    kind = jnp.result_type(data.dtype, 0.0)
    y = data.astype(jnp.promote_types(kind, jnp.float32))
    y = jax.ops.segment_sum(y, segments, num_segments)
    ones = jnp.ones(segments.shape, y.dtype)
    counts = jax.ops.segment_sum(ones, segments, num_segments)
    counts = jnp.maximum(counts, 1).reshape(-1, *[1] * (y.ndim - 1))
    return (y / counts).astype(kind)


def segment_mean(data: Array, segment_ids: Array, *, num_segments: int) -> Array:
    """The mean of the rows of each segment, in float32; 0 where there are none."""
    if segment_ids.ndim == 1:
        return _mean(data, segment_ids, num_segments)
    mean = partial(_mean, num_segments=num_segments)
    return _mapped(mean, segment_ids.ndim - 1)(data, segment_ids)


def _shares(data: Array, segments: Array, num_segments: int) -> Array:
    """exp(data) over the sum of that in each segment, for ids (n,)."""
    inside = (segments >= 0) & (segments < num_segments)
    segments = jnp.where(inside, segments, num_segments)  # the rest by itself
    most = jax.ops.segment_max(data, segments, num_segments + 1)
    y = jnp.exp(data - jax.lax.stop_gradient(most)[segments])
    y = y / jax.ops.segment_sum(y, segments, num_segments + 1)[segments]
    return jnp.where(inside.reshape(-1, *[1] * (y.ndim - 1)), y, 0)


def segment_softmax(data: Array, segment_ids: Array, *, num_segments: int) -> Array:
    """exp(data) over the sum of that in each segment; 0 outside of all segments."""
    if segment_ids.ndim == 1:
        return _shares(data, segment_ids, num_segments)
    share = partial(_shares, num_segments=num_segments)
    return _mapped(share, segment_ids.ndim - 1)(data, segment_ids)
