"""Activations: those of `jax.nn`. Softmax and its kin compute in float32 at least."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from .inline import inline

identity = jax.nn.identity
relu = jax.nn.relu
relu6 = jax.nn.relu6
leaky_relu = jax.nn.leaky_relu
elu = jax.nn.elu
celu = jax.nn.celu
selu = jax.nn.selu
gelu = jax.nn.gelu
silu = jax.nn.silu
mish = jax.nn.mish
softplus = jax.nn.softplus
soft_sign = jax.nn.soft_sign
sigmoid = jax.nn.sigmoid
log_sigmoid = jax.nn.log_sigmoid
hard_sigmoid = jax.nn.hard_sigmoid
hard_silu = jax.nn.hard_silu
hard_tanh = jax.nn.hard_tanh
tanh = jnp.tanh
squareplus = jax.nn.squareplus
sparse_plus = jax.nn.sparse_plus
sparse_sigmoid = jax.nn.sparse_sigmoid
log1mexp = jax.nn.log1mexp
glu = jax.nn.glu


def softmax(x: Array, *, axis: int | tuple[int, ...]) -> Array:
    """exp(x) / sum(exp(x)) along axis, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return jax.nn.softmax(y, axis=axis).astype(jnp.result_type(x, float))


def log_softmax(x: Array, *, axis: int | tuple[int, ...]) -> Array:
    """x - log(sum(exp(x))) along axis, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return jax.nn.log_softmax(y, axis=axis).astype(jnp.result_type(x, float))


def logsumexp(x: Array, *, axis: int | Sequence[int] | None, keepdims: bool) -> Array:
    """log(sum(exp(x))) over axis, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return jax.nn.logsumexp(y, axis=axis, keepdims=keepdims).astype(
        jnp.result_type(x, float)
    )


def logmeanexp(x: Array, *, axis: int | Sequence[int] | None, keepdims: bool) -> Array:
    """log(mean(exp(x))) over axis, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = jax.nn.logmeanexp(y, axis=axis, keepdims=keepdims)
    return y.astype(jnp.result_type(x, float))


def standardize(x: Array, *, axis: int | Sequence[int], eps: float) -> Array:
    """(x - mean) / sqrt(var + eps) along axis, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    y = y - jnp.mean(y, axis=axis, keepdims=True)
    y = y * jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=axis, keepdims=True) + eps)
    return y.astype(jnp.result_type(x, float))


@inline
def one_hot(x: Array, *, num_classes: int, axis: int, dtype: Any) -> Array:
    return jax.nn.one_hot(x, num_classes, dtype=dtype, axis=axis)
