"""Attention: masks, and the weighted mean of values."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import max_dim, min_dim

from .inline import inline


def attention_mask(
    query_positions: Array,
    key_positions: Array,
    padding: Array | None = None,
    query_segments: Array | None = None,
    key_segments: Array | None = None,
    *,
    causal: bool,
    window: int | None,
) -> Array:
    """True where a query may attend to a key: (..., 1, q, k)."""
    distance = query_positions[..., :, None] - key_positions[..., None, :]
    mask = distance >= 0 if causal else jnp.ones(distance.shape, jnp.bool_)
    if window is not None:
        mask = mask & (jnp.abs(distance) < window)
    if query_segments is not None and key_segments is not None:
        mask = mask & (query_segments[..., :, None] == key_segments[..., None, :])
    mask = mask[..., None, :, :]
    if padding is not None:
        mask = mask & (padding[..., None, None, :] != 0)
    return mask


@inline
def padding_mask(padding: Array) -> Array:
    return padding[..., None, None, :] != 0


def _joins(query: Array, other: Array | None) -> bool:
    """True where a mask or bias adds no batch axes to those of the queries."""
    return (
        other is None
        or other.ndim <= 3
        or other.shape[:-3] == query.shape[:-3]
        or other.shape[:-3] == (1,) * (query.ndim - 3)
    )


def _with_sinks(scores: Array, sinks: Array) -> Array:
    """softmax over the keys and a sink of each head, whose weight goes nowhere."""
    shape = (*scores.shape[:-1], 1)
    column = jnp.broadcast_to(sinks[..., :, None, None].astype(scores.dtype), shape)
    both = jnp.concatenate([scores, column], axis=-1)
    return jax.nn.softmax(both, axis=-1)[..., :-1]


def _distance(scores: Array) -> Array:
    """How far each key is behind each query, were both to start at 0: (q, k)."""
    return jnp.arange(scores.shape[-2])[:, None] - jnp.arange(scores.shape[-1])


def _attended(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    bias: Array | None,
    sinks: Array | None,
    start: Array | None = None,
    *,
    scale: float | None = None,
    heads_per_kv: int,
    softcap: float | None = None,
    causal: bool = False,
    window: int | None = None,
) -> Array:
    """The formula, for any batch axes and dtypes; the first query is at `start`."""
    if heads_per_kv == 1:
        dtype = jnp.promote_types(query.dtype, jnp.float32)
        y = jnp.einsum(
            "...qhd,...khd->...hqk", query, key, preferred_element_type=dtype
        )
        y = y * (query.shape[-1] ** -0.5 if scale is None else scale)
        y = y if softcap is None else softcap * jnp.tanh(y / softcap)
        y = y if bias is None else y + bias
        y = y if mask is None else jnp.where(mask, y, -1e30)
        if causal or window is not None:
            distance = _distance(y) if start is None else start + _distance(y)
            y = jnp.where(distance >= 0, y, -1e30) if causal else y
            y = y if window is None else jnp.where(abs(distance) < window, y, -1e30)
        y = jax.nn.softmax(y, axis=-1) if sinks is None else _with_sinks(y, sinks)
        y = y.astype(jnp.result_type(value, float))
        return jnp.einsum("...hqk,...khd->...qhd", y, value)
    *batch, time, heads, dim = query.shape
    dtype = jnp.promote_types(query.dtype, jnp.float32)
    grouped = query.reshape(*batch, time, heads // heads_per_kv, heads_per_kv, dim)
    y = jnp.einsum(
        "...qhgd,...khd->...hgqk", grouped, key, preferred_element_type=dtype
    )
    y = y * (dim**-0.5 if scale is None else scale)
    shape = y.shape
    y = y.reshape(*shape[:-4], heads, *shape[-2:])
    y = y if softcap is None else softcap * jnp.tanh(y / softcap)
    y = y if bias is None else y + bias
    y = y if mask is None else jnp.where(mask, y, -1e30)
    if causal or window is not None:
        distance = _distance(y) if start is None else start + _distance(y)
        y = jnp.where(distance >= 0, y, -1e30) if causal else y
        y = y if window is None else jnp.where(abs(distance) < window, y, -1e30)
    y = jax.nn.softmax(y, axis=-1) if sinks is None else _with_sinks(y, sinks)
    y = y.astype(jnp.result_type(value, float))
    y = y.reshape(*y.shape[:-3], *shape[-4:])
    y = jnp.einsum("...hgqk,...khd->...qhgd", y, value)
    return y.reshape(*y.shape[:-3], heads, y.shape[-1])


def _rows(x: Array, start: Array, size: int) -> Array:
    """What a mask or bias holds of some queries."""
    if x.shape[-2] == 1:
        return x
    return jax.lax.dynamic_slice_in_dim(x, start, size, axis=-2)


def dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None = None,
    bias: Array | None = None,
    sinks: Array | None = None,
    *,
    scale: float | None,
    heads_per_kv: int,
    softcap: float | None = None,
    query_chunk: int | None = None,
    causal: bool = False,
    window: int | None = None,
) -> Array:
    """softmax(query @ key.T * scale + bias) @ value: (..., time, heads, dim)."""
    if (
        query_chunk is None
        and sinks is None
        and softcap is None
        and window is None
        and query.ndim in (3, 4)
        and key.shape[:-3] == query.shape[:-3]
        and value.shape[:-3] == query.shape[:-3]
        and value.shape[-1] == query.shape[-1]
        and key.dtype == query.dtype
        and value.dtype == query.dtype == jnp.result_type(query, float)
        and _joins(query, mask)
        and _joins(query, bias)
    ):
        return jax.nn.dot_product_attention(
            query, key, value, mask=mask, bias=bias, scale=scale, is_causal=causal
        )
    if query_chunk is None:
        return _attended(
            query,
            key,
            value,
            mask,
            bias,
            sinks,
            scale=scale,
            heads_per_kv=heads_per_kv,
            softcap=softcap,
            causal=causal,
            window=window,
        )
    time = query.shape[-3]
    size = min_dim(time, query_chunk)
    steps = -(-time // max_dim(size, 1))

    def attend(start: Array) -> Array:
        rows = jax.lax.dynamic_slice_in_dim(query, start, size, axis=-3)
        allowed = None if mask is None else _rows(mask, start, size)
        added = None if bias is None else _rows(bias, start, size)
        return _attended(
            rows,
            key,
            value,
            allowed,
            added,
            sinks,
            start,
            scale=scale,
            heads_per_kv=heads_per_kv,
            softcap=softcap,
            causal=causal,
            window=window,
        )

    # The last chunk ends with the last query. No scores are kept for the gradient.
    starts = jnp.minimum(jnp.arange(steps) * size, time - size)
    y = jax.lax.map(jax.checkpoint(attend, prevent_cse=False), starts)
    y = jnp.moveaxis(y, 0, -4)
    y = y.reshape(*y.shape[:-4], steps * size, *y.shape[-2:])
    first, last = y[..., : time - size, :, :], y[..., (steps - 1) * size :, :, :]
    return jnp.concatenate([first, last], axis=-3)
