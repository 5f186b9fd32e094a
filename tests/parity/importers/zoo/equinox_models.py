"""A GPT of Equinox, as its users write it."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

VOCAB, WIDTH, DEPTH, HEADS, CONTEXT = 64, 32, 3, 4, 16


class Attention(eqx.Module):  # type: ignore[misc]
    qkv: eqx.nn.Linear
    proj: eqx.nn.Linear

    def __init__(self, key: Any) -> None:
        first, second = jax.random.split(key)
        self.qkv = eqx.nn.Linear(WIDTH, 3 * WIDTH, key=first)
        self.proj = eqx.nn.Linear(WIDTH, WIDTH, key=second)

    def __call__(self, x: Any) -> Any:
        seq = x.shape[0]
        q, k, v = jnp.split(jax.vmap(self.qkv)(x), 3, axis=-1)
        q = q.reshape(seq, HEADS, -1)
        k = k.reshape(seq, HEADS, -1)
        v = v.reshape(seq, HEADS, -1)
        mixed = jax.nn.dot_product_attention(q, k, v, is_causal=True)
        return jax.vmap(self.proj)(mixed.reshape(seq, WIDTH))


class MLP(eqx.Module):  # type: ignore[misc]
    up: eqx.nn.Linear
    down: eqx.nn.Linear

    def __init__(self, key: Any) -> None:
        first, second = jax.random.split(key)
        self.up = eqx.nn.Linear(WIDTH, 4 * WIDTH, key=first)
        self.down = eqx.nn.Linear(4 * WIDTH, WIDTH, key=second)

    def __call__(self, x: Any) -> Any:
        return self.down(jax.nn.gelu(self.up(x)))


class Block(eqx.Module):  # type: ignore[misc]
    ln_1: eqx.nn.LayerNorm
    attn: Attention
    ln_2: eqx.nn.LayerNorm
    mlp: MLP

    def __init__(self, key: Any) -> None:
        first, second = jax.random.split(key)
        self.ln_1 = eqx.nn.LayerNorm(WIDTH)
        self.attn = Attention(first)
        self.ln_2 = eqx.nn.LayerNorm(WIDTH)
        self.mlp = MLP(second)

    def __call__(self, x: Any) -> Any:
        x = x + self.attn(jax.vmap(self.ln_1)(x))
        return x + jax.vmap(self.mlp)(jax.vmap(self.ln_2)(x))


class GPT(eqx.Module):  # type: ignore[misc]
    wte: eqx.nn.Embedding
    wpe: eqx.nn.Embedding
    blocks: list[Block]
    ln_f: eqx.nn.LayerNorm

    def __init__(self, key: Any) -> None:
        first, second, *keys = jax.random.split(key, 2 + DEPTH)
        self.wte = eqx.nn.Embedding(VOCAB, WIDTH, key=first)
        self.wpe = eqx.nn.Embedding(CONTEXT, WIDTH, key=second)
        self.blocks = [Block(k) for k in keys]
        self.ln_f = eqx.nn.LayerNorm(WIDTH)

    def __call__(self, tokens: Any) -> Any:
        positions = jnp.arange(tokens.shape[0])
        x = jax.vmap(self.wte)(tokens) + jax.vmap(self.wpe)(positions)
        for block in self.blocks:
            x = block(x)
        return jax.vmap(self.ln_f)(x) @ self.wte.weight.T
