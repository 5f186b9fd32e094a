"""Attention and recurrent cells of Flax Linen as ops of blox."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from . import memories
from .dense import is_plain
from .layers import Convert


def _gates(m: Any) -> bool:
    """True where the gates of a cell are those of the ops."""
    return m.gate_fn is nn.sigmoid and m.activation_fn is nn.tanh


def _parts(m: Any, names: tuple[str, ...], leaf: str) -> Any:
    """Arrays of the layers of a cell, side by side."""
    params = m.variables["params"]
    found = [params[name][leaf] for name in names]
    return found[0] if len(found) == 1 else jnp.concatenate(found, axis=-1)


def _lstm(m: Any, carry: Any, x: Any) -> Any:
    c, h = carry
    inner, outer = ("ii", "if", "ig", "io"), ("hi", "hf", "hg", "ho")
    kernel = _parts(m, inner, "kernel")
    recurrent, bias = _parts(m, outer, "kernel"), _parts(m, outer, "bias")
    if not _gates(m) or not is_plain(x, h, c, kernel, recurrent, bias, dtype=m.dtype):
        return NotImplemented
    h, c = memories.lstm_cell(x, h, c, kernel, recurrent, bias)
    return (c, h), h


def _gru(m: Any, h: Any, x: Any) -> Any:
    inner, outer = ("ir", "iz", "in"), ("hr", "hz", "hn")
    kernel, bias = _parts(m, inner, "kernel"), _parts(m, inner, "bias")
    recurrent, last = _parts(m, outer, "kernel"), _parts(m, ("hn",), "bias")
    if not _gates(m) or not is_plain(x, h, kernel, recurrent, bias, dtype=m.dtype):
        return NotImplemented
    zeros = jnp.zeros(2 * last.shape[0], last.dtype)
    both = jnp.concatenate([zeros, last])
    new = memories.gru_cell(x, h, kernel, recurrent, bias, both)
    return new, new


def _simple(m: Any, h: Any, x: Any) -> Any:
    kernel, bias = _parts(m, ("i",), "kernel"), _parts(m, ("i",), "bias")
    recurrent = _parts(m, ("h",), "kernel")
    names = {nn.tanh: "tanh", nn.relu: "relu"}
    name = names.get(m.activation_fn)
    if name is None or m.residual:
        return NotImplemented
    if not is_plain(x, h, kernel, recurrent, bias, dtype=m.dtype):
        return NotImplemented
    new = memories.rnn_cell(x, h, kernel, recurrent, bias, activation=name)
    return new, new


def cells() -> dict[type, Convert]:
    """What converts each cell."""
    return {
        nn.LSTMCell: _lstm,
        nn.OptimizedLSTMCell: _lstm,
        nn.GRUCell: _gru,
        nn.SimpleCell: _simple,
    }


@contextmanager
def attending(module: Any) -> Iterator[None]:
    """A call of attention is its own code around the op, while it lasts."""
    ours = isinstance(module, nn.MultiHeadDotProductAttention)
    if not ours or module.attention_fn is not nn.dot_product_attention:
        yield
        return
    object.__setattr__(module, "attention_fn", _attend)
    try:
        yield
    finally:
        object.__setattr__(module, "attention_fn", nn.dot_product_attention)


def _attend(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    **options: Any,
) -> Any:
    """The op of attention, or the function where the op doesn't say what that does."""
    said = ("is_causal", "dropout_rate", "broadcast_dropout", "deterministic", "dtype")
    unsaid = (*said, "dropout_rng", "force_fp32_for_softmax")
    others = any(v is not None for n, v in options.items() if n not in unsaid)
    found: Any = NotImplemented
    if (
        not others
        and options.get("deterministic", False) is True
        and is_plain(query, key, value, dtype=options.get("dtype"))
    ):
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
        return nn.dot_product_attention(query, key, value, bias, mask, **options)
    return found


# The layer gives only what the signature has.
_attend.__signature__ = inspect.signature(nn.dot_product_attention)  # type: ignore[attr-defined]
