"""A small GPT: pre-norm blocks, scanned; the head shares the token embedding."""

import jax.numpy as jnp
from flax import nnx
from jax import Array


class Block(nnx.Module):
    def __init__(self, width: int, heads: int, *, rngs: nnx.Rngs) -> None:
        self.ln_1 = nnx.LayerNorm(width, epsilon=1e-5, rngs=rngs)
        self.attn = nnx.MultiHeadAttention(heads, width, decode=False, rngs=rngs)
        self.ln_2 = nnx.LayerNorm(width, epsilon=1e-5, rngs=rngs)
        self.up = nnx.Linear(width, 4 * width, rngs=rngs)
        self.down = nnx.Linear(4 * width, width, rngs=rngs)

    def __call__(self, x: Array, mask: Array) -> Array:
        x = x + self.attn(self.ln_1(x), mask=mask)
        return x + self.down(nnx.gelu(self.up(self.ln_2(x))))


class TinyGPT(nnx.Module):
    def __init__(
        self,
        vocab: int = 256,
        width: int = 64,
        depth: int = 4,
        heads: int = 4,
        context: int = 128,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.wte = nnx.Embed(vocab, width, rngs=rngs)
        self.wpe = nnx.Embed(context, width, rngs=rngs)

        @nnx.split_rngs(splits=depth)
        @nnx.vmap
        def blocks(rngs: nnx.Rngs) -> Block:
            return Block(width, heads, rngs=rngs)

        self.h = blocks(rngs)
        self.ln_f = nnx.LayerNorm(width, epsilon=1e-5, rngs=rngs)

    def __call__(self, tokens: Array) -> Array:
        mask = nnx.make_causal_mask(tokens)
        x = self.wte(tokens) + self.wpe(jnp.arange(tokens.shape[1]))

        @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
        def run(x: Array, block: Block) -> Array:
            return block(x, mask)

        return self.wte.attend(self.ln_f(run(x, self.h)))
