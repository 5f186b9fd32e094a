"""Models of Flax NNX, as its users write them."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from flax import nnx

VOCAB, WIDTH, DEPTH, HEADS, CONTEXT = 64, 32, 3, 4, 16


class MLP(nnx.Module):  # type: ignore[misc]
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.up = nnx.Linear(WIDTH, 4 * WIDTH, rngs=rngs)
        self.down = nnx.Linear(4 * WIDTH, WIDTH, rngs=rngs)

    def __call__(self, x: Any) -> Any:
        return self.down(nnx.gelu(self.up(x)))


class Block(nnx.Module):  # type: ignore[misc]
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.ln_1 = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.attn = nnx.MultiHeadAttention(HEADS, WIDTH, decode=False, rngs=rngs)
        self.ln_2 = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.mlp = MLP(rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)

    def __call__(self, x: Any, mask: Any) -> Any:
        x = x + self.dropout(self.attn(self.ln_1(x), mask=mask))
        return x + self.dropout(self.mlp(self.ln_2(x)))


class GPT(nnx.Module):  # type: ignore[misc]
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.wte = nnx.Embed(VOCAB, WIDTH, rngs=rngs)
        self.wpe = nnx.Embed(CONTEXT, WIDTH, rngs=rngs)
        self.blocks = nnx.List([Block(rngs) for _ in range(DEPTH)])
        self.ln_f = nnx.LayerNorm(WIDTH, rngs=rngs)

    def __call__(self, tokens: Any) -> Any:
        mask = nnx.make_causal_mask(tokens)
        x = self.wte(tokens) + self.wpe(jnp.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x, mask)
        return self.wte.attend(self.ln_f(x))


class Tagger(nnx.Module):  # type: ignore[misc]
    """A recurrent net that reads both ways."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(VOCAB, 8, rngs=rngs)
        self.forward = nnx.RNN(nnx.LSTMCell(8, 12, rngs=rngs))
        self.backward = nnx.RNN(
            nnx.LSTMCell(8, 12, rngs=rngs), reverse=True, keep_order=True
        )
        self.head = nnx.Linear(24, 5, rngs=rngs)

    def __call__(self, tokens: Any) -> Any:
        x = self.embed(tokens)
        x = jnp.concatenate([self.forward(x), self.backward(x)], axis=-1)
        return self.head(x)
