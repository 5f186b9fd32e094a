"""Models of nanodl: one of each architecture, in Linen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import nanodl

import blox as bx

from . import Example

TOKENS = bx.Input(["batch", 6], "int32")
IMAGE = bx.Input(["batch", 8, 8, 3])
SPEECH = bx.Input(["batch", 6, 8])
STACK = {"num_layers": 2, "num_heads": 2, "feedforward_dim": 16, "dropout": 0.0}
WIDE = {**STACK, "hidden_dim": 8}
TEXT = {
    **WIDE,
    "vocab_size": 11,
    "embed_dim": 8,
    "max_length": 6,
    "start_token": 0,
    "end_token": 1,
}
WINDOWS = {"num_groups": 2, "window_size": 3, "shift_size": 1}


def _of(make: Callable[..., Any], *inputs: bx.Input, **options: Any) -> Any:
    """Makes a model of these settings, later."""

    def example() -> Example:
        model = make(**options)
        named = dict(zip("xy", inputs, strict=False))
        given = [
            jnp.zeros([2, *i.shape[1:]], "int32" if i.dtype == "int32" else "float32")
            for i in inputs
        ]
        key = jax.random.key(0)
        variables = model.init({"params": key, "dropout": key}, *given)
        return Example(model, named, variables)

    return example


LAYERS: dict[str, Callable[[], Example]] = {
    "gpt3": _of(nanodl.GPT3, TOKENS, **TEXT),
    "gpt4": _of(nanodl.GPT4, TOKENS, **TEXT, num_experts=3),
    "gemma": _of(nanodl.Gemma, TOKENS, **TEXT | {"feedforward_dim": 8}, num_groups=2),
    "lamda": _of(nanodl.LaMDA, TOKENS, **TEXT),
    "llama3": _of(nanodl.Llama3, TOKENS, **TEXT, num_groups=2),
    "mistral": _of(nanodl.Mistral, TOKENS, **TEXT, **WINDOWS),
    "mixtral": _of(nanodl.Mixtral, TOKENS, **TEXT, **WINDOWS),
    "mixer": _of(nanodl.Mixer, IMAGE, **WIDE, patch_size=(4, 4), n_outputs=5),
    "t5": _of(nanodl.T5, TOKENS, TOKENS, **TEXT),
    "transformer": _of(nanodl.Transformer, TOKENS, TOKENS, **TEXT),
    "vision_transformer": _of(
        nanodl.ViT,
        IMAGE,
        **WIDE | {"feedforward_dim": 8},
        patch_size=(4, 4),
        n_outputs=5,
    ),
    "whisper": _of(nanodl.Whisper, SPEECH, TOKENS, **TEXT),
}
