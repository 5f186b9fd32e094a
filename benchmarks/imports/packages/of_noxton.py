"""Layers and models of noxton."""

from __future__ import annotations

from typing import Any

import jax
from noxton import nn

import blox as bx

from . import Example

KEY = jax.random.key(0)


def _sequence(model: Any, **options: Any) -> Example:
    return Example(
        lambda m, x: jax.vmap(lambda one: m(one, **options))(x),
        {"x": bx.Input(["batch", "time", 8])},
        model,
        sizes={"time": 6},
    )


def m_lstm() -> Example:
    layer = nn.mLSTMLayer(8, 16, 4, False, 3, 6, 2, 0.0, key=KEY, inference=True)
    return _sequence(layer, key=None)


def s_lstm() -> Example:
    return _sequence(nn.sLSTMLayer(8, 2, 3, 0.0, key=KEY, inference=True))


def xlstm_block() -> Example:
    layer = nn.sLSTMLayer(8, 2, 3, 0.0, key=KEY, inference=True)
    feedforward = nn.GatedFeedForward(8, 16, key=KEY, inference=True)
    return _sequence(nn.xLSTMBlock(8, layer, feedforward))


def transformer_encoder() -> Example:
    return _sequence(nn.TransformerEncoder(8, 2, 2, 16, inference=True, key=KEY))


def transformer() -> Example:
    model = nn.Transformer(8, 2, 2, 2, 16, inference=True, key=KEY)
    shapes = {"source": "before", "target": "after"}
    return Example(
        lambda m, s, t: jax.vmap(m)(s, t),
        {n: bx.Input(["batch", size, 8]) for n, size in shapes.items()},
        model,
        sizes={"before": 5, "after": 6},
    )


def local_response_normalization() -> Example:
    return Example(
        lambda m, x: jax.vmap(m)(x),
        {"x": bx.Input(["batch", 6, 4, 4])},
        nn.LocalResponseNormalization(),
    )
