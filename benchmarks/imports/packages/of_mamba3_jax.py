"""Models of mamba3-jax."""

from __future__ import annotations

from typing import Any

from flax import nnx
from mamba3_jax import modeling

import blox as bx

from . import Example


def _causal_lm(**options: Any) -> Example:
    config = modeling.Mamba3Config(
        vocab_size=32,
        hidden_size=16,
        state_size=4,
        head_dim=8,
        chunk_size=4,
        num_hidden_layers=2,
        **options,
    )
    return Example(
        lambda m, tokens: m(tokens)["logits"],
        {"tokens": bx.Input(["batch", "seq"], "int32")},
        modeling.Mamba3ForCausalLM(config, rngs=nnx.Rngs(0)),
        sizes={"seq": 8},
    )


def mamba3_for_causal_lm() -> Example:
    return _causal_lm()


def mamba3_with_many_inputs() -> Example:
    return _causal_lm(is_mimo=True, mimo_rank=2)


def mamba3_forecaster() -> Example:
    model = modeling.Mamba3Forecaster(
        3, 16, 2, 1, 4, d_state=4, headdim=8, chunk_size=4, rngs=nnx.Rngs(0)
    )
    return Example(
        lambda m, x: m(x),
        {"x": bx.Input(["batch", "seq", 3])},
        model,
        sizes={"seq": 8},
    )
