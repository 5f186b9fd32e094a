"""A GPT of Haiku, as its users write it."""

from __future__ import annotations

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

VOCAB, WIDTH, DEPTH, HEADS, CONTEXT = 64, 32, 3, 4, 16


def norm(name: str) -> Any:
    return hk.LayerNorm(-1, create_scale=True, create_offset=True, name=name)


class Block(hk.Module):  # type: ignore[misc]
    def __call__(self, x: Any, mask: Any) -> Any:
        start = hk.initializers.VarianceScaling(2 / DEPTH)
        attention = hk.MultiHeadAttention(
            HEADS, WIDTH // HEADS, w_init=start, model_size=WIDTH
        )
        h = norm("ln_1")(x)
        x = x + attention(h, h, h, mask=mask)
        h = hk.Linear(4 * WIDTH, name="up")(norm("ln_2")(x))
        return x + hk.Linear(WIDTH, name="down")(jax.nn.gelu(h))


def gpt(tokens: Any) -> Any:
    seq = tokens.shape[1]
    wte = hk.Embed(VOCAB, WIDTH, name="wte")
    x = wte(tokens) + hk.Embed(CONTEXT, WIDTH, name="wpe")(jnp.arange(seq))
    mask = jnp.tril(jnp.ones((1, 1, seq, seq)))
    for i in range(DEPTH):
        x = Block(name=f"block_{i}")(x, mask)
    return norm("ln_f")(x) @ wte.embeddings.T
