"""Attention: masks, and the weighted mean of values."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array

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


def dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None = None,
    bias: Array | None = None,
    *,
    scale: float | None = None,
) -> Array:
    """softmax(query @ key.T * scale + bias) @ value: (..., q, heads, dim)."""
    *batch, time, heads, dim = query.shape
    kv_heads = key.shape[-2]
    dtype = jnp.promote_types(query.dtype, jnp.float32)
    query = query.reshape(*batch, time, kv_heads, heads // kv_heads, dim)
    scores = jnp.einsum(
        "...qhgd,...khd->...hgqk", query, key, preferred_element_type=dtype
    )
    scores = scores * (dim**-0.5 if scale is None else scale)
    shape = scores.shape
    scores = scores.reshape(*shape[:-4], heads, *shape[-2:])
    if bias is not None:
        scores = scores + bias
    if mask is not None:
        scores = jnp.where(mask, scores, -1e30)
    weights = jax.nn.softmax(scores, axis=-1).astype(value.dtype)
    weights = weights.reshape(*weights.shape[:-3], *shape[-4:])
    y = jnp.einsum("...hgqk,...khd->...qhgd", weights, value)
    return y.reshape(*y.shape[:-3], heads, y.shape[-1])
