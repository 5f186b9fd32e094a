"""Whole models of Flax Linen, as people write them."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp


class Encoder(nn.Module):  # type: ignore[misc]
    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, x: jax.Array) -> Any:
        h = nn.LayerNorm(name="norm")(x)
        return x + nn.MultiHeadDotProductAttention(2, name="attention")(h)


class Decoder(nn.Module):  # type: ignore[misc]
    decode: bool

    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, x: jax.Array, memory: jax.Array) -> Any:
        h = nn.LayerNorm(name="norm")(x)
        attention = nn.MultiHeadDotProductAttention(
            2, decode=self.decode, name="attention"
        )
        x = x + attention(h)
        return x + nn.MultiHeadDotProductAttention(2, name="cross")(x, memory)


class Translator(nn.Module):  # type: ignore[misc]
    """One token after what the decoder saw before, of a text in another language."""

    decode: bool = True

    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, text: jax.Array, token: jax.Array) -> Any:
        embed = nn.Embed(11, 8, name="embed")
        memory = Encoder(name="encoder")(embed(text))
        x = embed(token)
        for i in range(2):
            x = Decoder(self.decode, name=f"decoder_{i}")(x, memory)
        return embed.attend(nn.LayerNorm(name="norm")(x))


class Block(nn.Module):  # type: ignore[misc]
    width: int

    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, x: jax.Array, train: bool) -> Any:
        def norm(name: str) -> Any:
            return nn.BatchNorm(not train, momentum=0.9, name=name)

        def conv(name: str) -> Any:
            return nn.Conv(self.width, (3, 3), use_bias=False, name=name)

        y = nn.relu(norm("norm_1")(conv("conv_1")(x)))
        return nn.relu(x + norm("norm_2")(conv("conv_2")(y)))


class ResNet(nn.Module):  # type: ignore[misc]
    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, images: jax.Array, train: bool) -> Any:
        x = nn.Conv(6, (3, 3), name="stem")(images)
        for i in range(2):
            x = Block(6, name=f"block_{i}")(x, train)
        return nn.Dense(4, name="head")(jnp.mean(x, axis=(1, 2)))
