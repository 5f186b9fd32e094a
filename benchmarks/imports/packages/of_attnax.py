"""Transformers of attnax."""

from __future__ import annotations

from typing import Any

import attnax
from flax import nnx

import blox as bx

from . import Example

SIZES = {"d_model": 8, "num_heads": 2, "num_layers": 2, "d_ff": 16, "dropout_rate": 0.0}


def _text(make: Any, **options: Any) -> Example:
    config = attnax.TransformerConfig(vocab_size=11, max_len=16, **SIZES, **options)
    model = make(nnx.Rngs(0), config)
    model.eval()
    return Example(
        lambda m, tokens: m(tokens),
        {"tokens": bx.Input(["batch", "seq"], "int32")},
        model,
        dims={"seq": {"max": 16}},
        sizes={"seq": 6},
    )


def encoder() -> Example:
    return _text(attnax.TransformerEncoder)


def encoder_with_linear_attention() -> Example:
    return _text(
        attnax.TransformerEncoder,
        attention_type=attnax.AttentionType.LINEAR,
        linear_attention_chunk_size=3,
    )


def decoder() -> Example:
    return _text(attnax.TransformerDecoder)


def decoder_with_rotary_positions() -> Example:
    return _text(
        attnax.TransformerDecoder,
        pos_emb_type="rope",
        norm_type="rms",
        ff_activation="swiglu",
        num_kv_heads=1,
    )


def decoder_with_window() -> Example:
    return _text(attnax.TransformerDecoder, pos_emb_type="alibi", attention_window=3)


def vision_transformer() -> Example:
    config = attnax.VisionTransformerConfig(
        image_size=8, patch_size=4, num_classes=5, **SIZES
    )
    model = attnax.VisionTransformer(nnx.Rngs(0), config)
    model.eval()
    return Example(
        lambda m, image: m(image), {"image": bx.Input(["batch", 8, 8, 3])}, model
    )


def mixture_of_experts() -> Example:
    model = attnax.MixtureOfExperts(nnx.Rngs(0), d_model=8, d_ff=16, num_experts=3)
    return Example(lambda m, x: m(x), {"x": bx.Input(["batch", 6, 8])}, model)
