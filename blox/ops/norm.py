"""Normalisation. Statistics are computed in float32; the input's dtype is kept.

The root is taken before the reduced axis comes back: CPUs are slow at it, and at its
gradient, along a last axis of one.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import max_dim


def layer_norm(
    x: Array,
    scale: Array | None = None,
    bias: Array | None = None,
    *,
    features: int | tuple[int, ...] | None,
    eps: float,
) -> Array:
    """(x - mean) / sqrt(var + eps) * scale + bias over the last axis, in float32."""
    axis = tuple(range(-len(features), 0)) if isinstance(features, tuple) else -1
    # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
    y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = y - jnp.mean(y, axis=axis, keepdims=True)
    factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=axis) + eps)
    y = y * jnp.expand_dims(factor, axis)
    y = y if scale is None else y * scale
    y = y if bias is None else y + bias
    return y.astype(jnp.result_type(x, float))


def rms_norm(
    x: Array, scale: Array, *, features: int | tuple[int, ...] | None, eps: float
) -> Array:
    """x / sqrt(mean(x ** 2) + eps) * scale over the last axis, in float32."""
    axis = tuple(range(-len(features), 0)) if isinstance(features, tuple) else -1
    # XLA would fuse all of x into each use of it, and compile for minutes on CPU.
    y: Array = jax.lax.optimization_barrier(x)  # type: ignore[no-untyped-call]
    y = y.astype(jnp.promote_types(x.dtype, jnp.float32))
    factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=axis) + eps)
    y = y * jnp.expand_dims(factor, axis)
    return (y * scale).astype(jnp.result_type(x, float))


def batch_norm(
    x: Array,
    scale: Array | None = None,
    bias: Array | None = None,
    *,
    mean: Array,
    var: Array,
    momentum: float,
    eps: float,
    unbiased: bool,
    train: bool,
    axis_name: str | None = None,
) -> tuple[Array, dict[str, Array]]:
    """Normalises each feature of the last axis; returns (y, running statistics)."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    state: dict[str, Array] = {}
    if train:
        axes = tuple(range(x.ndim - 1))
        n = x.size // x.shape[-1]
        old_mean, old_var = mean, var
        mean = jnp.mean(y, axis=axes)
        if axis_name is not None:
            mean = jax.lax.pmean(mean, axis_name)
            n = n * jax.lax.axis_size(axis_name)
        y = y - mean
        var = jnp.mean(jnp.square(y), axis=axes)
        if axis_name is not None:
            var = jax.lax.pmean(var, axis_name)
        new_var = var * (n / max_dim(n - 1, 1)) if unbiased else var
        state["mean"] = momentum * old_mean + (1 - momentum) * mean
        state["var"] = momentum * old_var + (1 - momentum) * new_var
    else:
        y = y - mean
    factor = jax.lax.rsqrt(var + eps)
    y = y * (factor if scale is None else factor * scale)
    y = y if bias is None else y + bias
    return y.astype(jnp.result_type(x, float)), state


def _group_means(x: Array, axes: Sequence[int], groups: int) -> Array:
    """The mean of each group of features over the axes, for each of its features."""
    mean = jnp.mean(x, axis=axes, keepdims=True)
    parts = mean.reshape(*mean.shape[:-1], groups, x.shape[-1] // groups)
    parts = jnp.broadcast_to(jnp.mean(parts, axis=-1, keepdims=True), parts.shape)
    return parts.reshape(mean.shape)


def group_norm(
    x: Array,
    scale: Array | None = None,
    bias: Array | None = None,
    *,
    spatial_axes: int,
    eps: float,
    groups: int,
) -> Array:
    """Normalises groups of features over the spatial axes, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    axes = tuple(range(-1 - spatial_axes, -1))
    y = y - _group_means(y, axes, groups)
    factor = jax.lax.rsqrt(_group_means(jnp.square(y), axes, groups) + eps)
    y = y * (factor if scale is None else factor * scale)
    y = y if bias is None else y + bias
    return y.astype(jnp.result_type(x, float))


def instance_norm(
    x: Array,
    scale: Array | None = None,
    bias: Array | None = None,
    *,
    spatial_axes: int,
    eps: float,
) -> Array:
    """Normalises each feature over the spatial axes, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    axes = tuple(range(-1 - spatial_axes, -1))
    y = y - jnp.mean(y, axis=axes, keepdims=True)
    factor = jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=axes, keepdims=True) + eps)
    y = y * (factor if scale is None else factor * scale)
    y = y if bias is None else y + bias
    return y.astype(jnp.result_type(x, float))


def l2_normalize(x: Array, *, axis: int | Sequence[int], eps: float) -> Array:
    """x / max(norm, eps) along axis, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    square = jnp.sum(jnp.square(y), axis=axis)
    factor = jax.lax.rsqrt(jnp.maximum(square, eps**2))
    y = y * jnp.expand_dims(factor, axis)
    return y.astype(jnp.result_type(x, float))


def weight_norm(x: Array, scale: Array, *, eps: float) -> Array:
    """scale * x / norm, the norm over all axes but the last, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    square = jnp.sum(jnp.square(y), axis=tuple(range(x.ndim - 1)))
    y = y * jax.lax.rsqrt(square + eps) * scale
    return y.astype(jnp.result_type(x, float))


def spectral_norm(
    x: Array, *, u: Array, iterations: int, eps: float, train: bool
) -> tuple[Array, dict[str, Array]]:
    """x over its greatest singular value; returns (y, the direction u)."""
    w = x.reshape(-1, x.shape[-1]).astype(jnp.promote_types(x.dtype, jnp.float32))
    state: dict[str, Array] = {}
    fixed = jax.lax.stop_gradient(w)
    u = u / jnp.maximum(jnp.linalg.norm(u), eps)
    if train:
        for _ in range(iterations):
            v = fixed @ u
            u = v @ fixed / jnp.maximum(jnp.linalg.norm(v), eps)
            u = u / jnp.maximum(jnp.linalg.norm(u), eps)
        state["u"] = u
    v = fixed @ u
    v = v / jnp.maximum(jnp.linalg.norm(v), eps)
    y = x / (v @ w @ u)
    return y.astype(jnp.result_type(x, float)), state
