"""Attention and recurrent cells of Flax NNX as ops of blox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from . import memories
from .dense import is_plain as is_uncast
from .layers import Convert
from .nnx_values import is_plain as _plain
from .nnx_values import value


def _gates(m: Any) -> bool:
    """True where the gates of a cell are those of the ops."""
    return m.gate_fn is jax.nn.sigmoid and m.activation_fn is jnp.tanh


def _optimized_lstm(m: Any, carry: Any, x: Any) -> Any:
    c, h = carry
    kernel, recurrent, bias = map(
        value, (m.dense_i.kernel, m.dense_h.kernel, m.dense_h.bias)
    )
    plain = m.dense_i.bias is None and _gates(m)
    if not plain or not _plain(m, x, h, c, kernel, recurrent, bias):
        return NotImplemented
    h, c = memories.lstm_cell(x, h, c, kernel, recurrent, bias)
    return (c, h), h


def _lstm(m: Any, carry: Any, x: Any) -> Any:
    c, h = carry
    inner = [m.ii, m.if_, m.ig, m.io]
    outer = [m.hi, m.hf, m.hg, m.ho]
    if not _gates(m) or any(part.bias is not None for part in inner):
        return NotImplemented
    kernel = jnp.concatenate([value(part.kernel) for part in inner], -1)
    recurrent = jnp.concatenate([value(part.kernel) for part in outer], -1)
    bias = jnp.concatenate([value(part.bias) for part in outer], -1)
    if not _plain(m, x, h, c, kernel, recurrent, bias):
        return NotImplemented
    h, c = memories.lstm_cell(x, h, c, kernel, recurrent, bias)
    return (c, h), h


def _gru(m: Any, h: Any, x: Any) -> Any:
    kernel, recurrent = value(m.dense_i.kernel), value(m.dense_h.kernel)
    biases = value(m.dense_i.bias), value(m.dense_h.bias)
    if not _gates(m) or not _plain(m, x, h, kernel, recurrent, *biases):
        return NotImplemented
    new = memories.gru_cell(x, h, kernel, recurrent, *biases)
    return new, new


def _simple(m: Any, h: Any, x: Any) -> Any:
    kernel, recurrent = value(m.dense_i.kernel), value(m.dense_h.kernel)
    bias = value(m.dense_i.bias)
    names = {jnp.tanh: "tanh", jax.nn.relu: "relu"}
    name = names.get(m.activation_fn)
    if name is None or m.residual or m.dense_h.bias is not None:
        return NotImplemented
    if not _plain(m, x, h, kernel, recurrent, bias):
        return NotImplemented
    new = memories.rnn_cell(x, h, kernel, recurrent, bias, activation=name)
    return new, new


def _multi_head(call: Callable[..., Any]) -> Convert:
    """Its own code, around the op of attention."""
    original = nnx.dot_product_attention

    def attend(
        query: Any,
        key: Any,
        value: Any,
        bias: Any = None,
        mask: Any = None,
        **options: Any,
    ) -> Any:
        found: Any = NotImplemented
        if _attends(query, key, value, options):
            found = memories.attention(
                query,
                key,
                value,
                bias,
                mask,
                causal=options.get("is_causal", False),
                rate=options.get("dropout_rate", 0.0),
                shared=options.get("broadcast_dropout", True),
            )
        if found is NotImplemented:
            return original(query, key, value, bias, mask, **options)
        return found

    def converted(m: Any, *args: Any, **kwargs: Any) -> Any:
        if m.attention_fn is not original:
            return NotImplemented
        object.__setattr__(m, "attention_fn", attend)
        try:
            return call(m, *args, **kwargs)
        finally:
            object.__setattr__(m, "attention_fn", original)

    return converted


def _attends(query: Any, key: Any, value: Any, options: dict[str, Any]) -> bool:
    """True where the op says what the function does: its weights are not looked at, and
    nothing is cast."""
    return (
        options.get("deterministic", False) is True
        and options.get("precision") is None
        and options.get("module") is None
        and is_uncast(query, key, value, dtype=options.get("dtype"))
    )


def cells() -> dict[type | tuple[type, str], Convert]:
    """What converts each of them."""
    attention = nnx.MultiHeadAttention
    return {
        nnx.OptimizedLSTMCell: _optimized_lstm,
        nnx.LSTMCell: _lstm,
        nnx.GRUCell: _gru,
        nnx.SimpleCell: _simple,
        attention: _multi_head(attention.__call__),
    }
