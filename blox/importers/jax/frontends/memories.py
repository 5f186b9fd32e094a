"""Attention and recurrent cells of Flax and Haiku as ops of blox.

Each function is given arrays and settings, and gives what the layer gives, or
`NotImplemented` where no op says exactly that.
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from .dense import dropout
from .layers import op


def attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    *,
    causal: bool = False,
    rate: float = 0.0,
    shared: bool = True,
) -> Any:
    """softmax(query @ key.T / sqrt(dim) + bias) @ value: (..., time, heads, dim).

    Args:
        rate: of weights that training drops.
        shared: all heads and items drop the same ones.
    """
    heads, served = query.shape[-2], key.shape[-2]
    allowed = None if mask is None else mask.astype(bool)
    if causal and rate != 0:
        positions = jnp.arange(query.shape[-3]), jnp.arange(key.shape[-3])
        before = positions[0][:, None] >= positions[1][None, :]
        allowed = before if allowed is None else allowed & before
    if rate == 0:
        attributes = {"scale": None, "heads_per_kv": heads // served, "causal": causal}
        operands = {"query": query, "key": key, "value": value}
        operands |= {"mask": allowed, "bias": bias}
        return op("dot_product_attention", attributes, operands)
    if heads != served:
        return NotImplemented
    scores = jnp.einsum("...qhd,...khd->...hqk", query, key)
    scores = scores * (1 / math.sqrt(query.shape[-1]))
    scores = scores if bias is None else scores + bias
    if allowed is not None:
        scores = jnp.where(allowed, scores, jnp.finfo(scores.dtype).min)  # type: ignore[no-untyped-call]
    highest = jnp.max(scores, axis=-1, keepdims=True)
    weights = jnp.exp(scores - lax.stop_gradient(highest))
    weights = weights / jnp.sum(weights, axis=-1, keepdims=True)
    dims = list(range(-weights.ndim, -2)) if shared else []
    weights = dropout(weights, rate, dims)
    if weights is NotImplemented:
        return NotImplemented
    return jnp.einsum("...hqk,...khd->...qhd", weights, value)


def lstm_cell(
    x: Any, h: Any, c: Any, kernel: Any, recurrent: Any, bias: Any = None
) -> Any:
    """The new (h, c); gates in the order i, f, g, o."""
    slots = {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias}
    sizes = {"in_features": kernel.shape[0], "units": recurrent.shape[0]}
    return op("lstm_cell", sizes, {"x": x, "h": h, "c": c}, slots)


def gru_cell(
    x: Any,
    h: Any,
    kernel: Any,
    recurrent: Any,
    bias: Any = None,
    recurrent_bias: Any = None,
    *,
    variant: str = "reset_after",
) -> Any:
    """The new h; gates in the order r, z, n."""
    slots = {"kernel": kernel, "recurrent_kernel": recurrent}
    if bias is not None or recurrent_bias is not None:
        none = jnp.zeros(kernel.shape[1], kernel.dtype)
        slots["bias"] = none if bias is None else bias
        slots["recurrent_bias"] = none if recurrent_bias is None else recurrent_bias
    sizes = {"in_features": kernel.shape[0], "units": recurrent.shape[0]}
    return op("gru_cell", {**sizes, "variant": variant}, {"x": x, "h": h}, slots)


def rnn_cell(
    x: Any, h: Any, kernel: Any, recurrent: Any, bias: Any, *, activation: str
) -> Any:
    """The new h."""
    slots = {"kernel": kernel, "recurrent_kernel": recurrent, "bias": bias}
    sizes = {"in_features": kernel.shape[0], "units": recurrent.shape[0]}
    attributes = {**sizes, "activation": activation}
    return op("rnn_cell", attributes, {"x": x, "h": h}, slots)
