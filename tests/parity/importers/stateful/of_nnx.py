"""Whole models of Flax NNX, as people write them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


class Encoder(nnx.Module):  # type: ignore[misc]
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.norm = nnx.LayerNorm(8, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs)

    def __call__(self, x: jax.Array) -> Any:
        return x + self.attention(self.norm(x))


class Decoder(nnx.Module):  # type: ignore[misc]
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.norm = nnx.LayerNorm(8, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(2, 8, decode=True, rngs=rngs)
        self.cross = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs)

    def __call__(self, x: jax.Array, memory: jax.Array) -> Any:
        x = x + self.attention(self.norm(x))
        return x + self.cross(x, memory)


class Translator(nnx.Module):  # type: ignore[misc]
    """One token after what the decoder saw before, of a text in another language."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.embed = nnx.Embed(11, 8, rngs=rngs)
        self.encoder = Encoder(rngs)
        self.decoder = nnx.List([Decoder(rngs) for _ in range(2)])
        self.norm = nnx.LayerNorm(8, rngs=rngs)

    def __call__(self, text: jax.Array, token: jax.Array) -> Any:
        memory = self.encoder(self.embed(text))
        x = self.embed(token)
        for layer in self.decoder:
            x = layer(x, memory)
        return self.embed.attend(self.norm(x))

    def init_cache(self, batch: int, length: int) -> None:
        for layer in self.decoder:
            layer.attention.init_cache((batch, length, 8))


class Block(nnx.Module):  # type: ignore[misc]
    def __init__(self, width: int, rngs: nnx.Rngs) -> None:
        self.conv_1 = nnx.Conv(width, width, (3, 3), use_bias=False, rngs=rngs)
        self.norm_1 = nnx.BatchNorm(width, momentum=0.9, rngs=rngs)
        self.conv_2 = nnx.Conv(width, width, (3, 3), use_bias=False, rngs=rngs)
        self.norm_2 = nnx.BatchNorm(width, momentum=0.9, rngs=rngs)

    def __call__(self, x: jax.Array) -> Any:
        y = nnx.relu(self.norm_1(self.conv_1(x)))
        return nnx.relu(x + self.norm_2(self.conv_2(y)))


class ResNet(nnx.Module):  # type: ignore[misc]
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.stem = nnx.Conv(3, 6, (3, 3), rngs=rngs)
        self.blocks = nnx.List([Block(6, rngs) for _ in range(2)])
        self.head = nnx.Linear(6, 4, rngs=rngs)

    def __call__(self, images: jax.Array) -> Any:
        x = self.stem(images)
        for block in self.blocks:
            x = block(x)
        return self.head(jnp.mean(x, axis=(1, 2)))
