"""Positions: rotary, sinusoidal, and biases of attention by distance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array


def rope_table(
    positions: Array,
    *,
    dim: int,
    theta: float,
    scaling: str = "none",
    factor: float = 1.0,
    original_length: int | None = None,
    beta_fast: float = 32.0,
    beta_slow: float = 1.0,
    truncate: bool = True,
    attention_factor: float | None = None,
    low_freq_factor: float = 1.0,
    high_freq_factor: float = 4.0,
) -> tuple[Array, Array]:
    """cos and sin of the rotary angles: (..., time) -> (..., time, dim / 2) each."""
    angles = positions.astype(jnp.float32)[..., None]
    exponents = jnp.arange(0, dim, 2, jnp.float32) / dim
    if scaling == "linear":
        angles = angles / factor
    if scaling == "dynamic" and original_length is not None:
        length = jnp.max(angles, axis=-2, keepdims=True, initial=original_length - 1)
        stretch = factor * (length + 1) / original_length - (factor - 1)
        angles = angles / stretch ** (exponents * dim / (dim - 2))
    if scaling == "yarn" and original_length is not None:
        first = _yarn_edge(beta_fast, original_length, dim, theta)
        last = _yarn_edge(beta_slow, original_length, dim, theta)
        if truncate:
            first, last = math.floor(first), math.ceil(last)
        first, last = max(first, 0), min(last, dim - 1)
        ramp = (jnp.arange(dim // 2) - first) / max(last - first, 0.001)
        kept = 1 - jnp.clip(ramp, 0, 1)
        angles = angles * (kept + (1 - kept) / factor)
    if scaling == "llama3" and original_length is not None:
        turns = original_length / (2 * math.pi * theta**exponents)
        kept = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor)
        kept = jnp.clip(kept, 0, 1)
        angles = angles * (kept + (1 - kept) / factor)
    angles = angles / theta**exponents
    if scaling == "yarn":
        scale = 0.1 * math.log(factor) + 1
        scale = scale if attention_factor is None else attention_factor
        return scale * jnp.cos(angles), scale * jnp.sin(angles)
    return jnp.cos(angles), jnp.sin(angles)


def _yarn_edge(turns: float, length: int, dim: int, theta: float) -> float:
    """The pair of features that turns so often over a length."""
    return dim * math.log(length / (turns * 2 * math.pi)) / (2 * math.log(theta))


def rope(x: Array, cos: Array, sin: Array, *, layout: str) -> Array:
    """Turns pairs of features of x (..., time, heads, head_dim) by the angles."""
    cos, sin = cos[..., None, :], sin[..., None, :]
    if layout == "interleaved":
        a, b = x[..., ::2], x[..., 1::2]
        y = jnp.stack([a * cos - b * sin, b * cos + a * sin], axis=-1)
        return y.reshape(x.shape).astype(jnp.result_type(x, float))
    a, b = jnp.split(x, 2, axis=-1)
    y = jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)
    return y.astype(jnp.result_type(x, float))


def sinusoidal(positions: Array, *, dim: int, theta: float, layout: str) -> Array:
    """Sines and cosines of positions: (..., time) -> (..., time, dim)."""
    angles = positions.astype(jnp.float32)[..., None]
    angles = angles / theta ** (jnp.arange(0, dim, 2, jnp.float32) / dim)
    if layout == "interleaved":
        pairs = jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1)
        return pairs.reshape(*positions.shape, dim)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def alibi(query_positions: Array, key_positions: Array, *, heads: int) -> Array:
    """-slope * |query position - key position|: (..., heads, q, k)."""
    n = 2 ** int(math.log2(heads))
    first = jnp.arange(1, n + 1, dtype=jnp.float32) * (8 / n)
    more = jnp.arange(1, 2 * (heads - n), 2, jnp.float32) * (4 / n)
    slopes = 2 ** -jnp.concatenate([first, more])
    distance = jnp.abs(query_positions[..., :, None] - key_positions[..., None, :])
    return -slopes[:, None, None] * distance[..., None, :, :].astype(jnp.float32)


def relative_bias(
    query_positions: Array,
    key_positions: Array,
    embedding: Array,
    *,
    num_buckets: int,
    max_distance: int,
    bidirectional: bool,
) -> Array:
    """Rows of a table by the bucket that the distance is in: (..., heads, q, k)."""
    count = num_buckets // 2 if bidirectional else num_buckets
    exact = count // 2
    ratio = (max_distance / exact) ** (1 / (count - exact))
    far = [math.ceil(exact * ratio**i - 1e-4) for i in range(1, count - exact)]
    edges = jnp.array([*range(1, exact + 1), *far])
    ahead = query_positions[..., :, None] - key_positions[..., None, :]
    distance = jnp.abs(ahead) if bidirectional else jnp.maximum(ahead, 0)
    bucket = jnp.searchsorted(edges, distance, side="right")
    if bidirectional:
        bucket = bucket + jnp.where(ahead < 0, count, 0)
    return jnp.moveaxis(jnp.take(embedding, bucket, axis=0, mode="clip"), -1, -3)


def window_bias(embedding: Array, *, window: Sequence[int], class_token: bool) -> Array:
    """Rows of a table by the offset of positions in a window: (heads, n, n)."""
    axes = jnp.meshgrid(*[jnp.arange(size) for size in window], indexing="ij")
    row = jnp.zeros((), jnp.int32)
    for size, at in zip(window, axes, strict=True):
        offset = at.reshape(-1, 1) - at.reshape(1, -1)
        row = row * (2 * size - 1) + offset + size - 1
    if class_token:
        count = embedding.shape[0]
        row = jnp.pad(row, ((0, 0), (1, 0)), constant_values=count - 2)
        row = jnp.pad(row, ((1, 0), (0, 0)), constant_values=count - 3)
        row = row.at[0, 0].set(count - 1)
    return jnp.moveaxis(jnp.take(embedding, row, axis=0, mode="clip"), -1, 0)
