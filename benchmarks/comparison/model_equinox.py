"""The tagger in Equinox: a function of one sequence, which `jax.vmap` makes one of many."""

import equinox as eqx
import jax
from jax import Array


class Block(eqx.Module):
    ln_1: eqx.nn.LayerNorm
    attn: eqx.nn.MultiheadAttention
    drop: eqx.nn.Dropout
    ln_2: eqx.nn.LayerNorm
    up: eqx.nn.Linear
    down: eqx.nn.Linear

    def __init__(self, width: int, heads: int, rate: float, *, key: Array) -> None:
        one, two, three = jax.random.split(key, 3)
        self.ln_1 = eqx.nn.LayerNorm(width)
        self.attn = eqx.nn.MultiheadAttention(heads, width, key=one)
        self.drop = eqx.nn.Dropout(rate)
        self.ln_2 = eqx.nn.LayerNorm(width)
        self.up = eqx.nn.Linear(width, 4 * width, key=two)
        self.down = eqx.nn.Linear(4 * width, width, key=three)

    def __call__(self, x: Array, key: Array) -> Array:
        one, two = jax.random.split(key)
        h = jax.vmap(self.ln_1)(x)
        x = x + self.drop(self.attn(h, h, h), key=one)
        h = jax.nn.gelu(jax.vmap(self.up)(jax.vmap(self.ln_2)(x)))
        return x + self.drop(jax.vmap(self.down)(h), key=two)


class Tagger(eqx.Module):
    embed: eqx.nn.Embedding
    stem: eqx.nn.Conv1d
    norm: eqx.nn.BatchNorm
    blocks: list[Block]
    ln_f: eqx.nn.LayerNorm

    def __init__(
        self,
        vocab: int = 64,
        width: int = 32,
        heads: int = 4,
        depth: int = 2,
        rate: float = 0.1,
        *,
        key: Array,
    ) -> None:
        one, two, *keys = jax.random.split(key, 2 + depth)
        self.embed = eqx.nn.Embedding(vocab, width, key=one)
        self.stem = eqx.nn.Conv1d(width, width, 3, padding="SAME", key=two)
        self.norm = eqx.nn.BatchNorm(width, "batch", momentum=0.9, mode="batch")
        self.blocks = [Block(width, heads, rate, key=key) for key in keys]
        self.ln_f = eqx.nn.LayerNorm(width)

    def __call__(
        self, tokens: Array, state: eqx.nn.State, key: Array
    ) -> tuple[Array, eqx.nn.State]:
        x, state = self.norm(self.stem(jax.vmap(self.embed)(tokens).T), state)
        x = jax.nn.relu(x).T
        for block, own in zip(
            self.blocks, jax.random.split(key, len(self.blocks)), strict=True
        ):
            x = block(x, own)
        return jax.vmap(self.ln_f)(x) @ self.embed.weight.T, state
