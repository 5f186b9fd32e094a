"""Models of Flax Linen, as its users write them."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

VOCAB, WIDTH, DEPTH, HEADS, CONTEXT = 64, 32, 3, 4, 16


class MLP(nn.Module):  # type: ignore[misc]
    width: int

    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, x: Any) -> Any:
        h = nn.gelu(nn.Dense(4 * self.width)(x))
        return nn.Dense(self.width)(h)


class Block(nn.Module):  # type: ignore[misc]
    heads: int

    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, x: Any, mask: Any = None) -> Any:
        h = nn.LayerNorm()(x)
        x = x + nn.MultiHeadDotProductAttention(self.heads)(h, mask=mask)
        return x + MLP(x.shape[-1])(nn.LayerNorm()(x))


class GPT(nn.Module):  # type: ignore[misc]
    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, tokens: Any) -> Any:
        embed = nn.Embed(VOCAB, WIDTH)
        positions = jnp.arange(tokens.shape[1])
        x = embed(tokens) + nn.Embed(CONTEXT, WIDTH)(positions)
        mask = nn.make_causal_mask(tokens)
        for _ in range(DEPTH):
            x = Block(HEADS)(x, mask)
        return embed.attend(nn.LayerNorm()(x))


class ViT(nn.Module):  # type: ignore[misc]
    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, images: Any) -> Any:
        x = nn.Conv(WIDTH, (4, 4), strides=(4, 4), name="patches")(images)
        batch = x.shape[0]
        x = x.reshape(batch, -1, WIDTH)
        first = self.param("cls", nn.initializers.zeros, (1, 1, WIDTH))
        x = jnp.concatenate([jnp.tile(first, (batch, 1, 1)), x], axis=1)
        x = x + self.param("positions", nn.initializers.normal(), (1, 10, WIDTH))
        for i in range(DEPTH):
            x = Block(HEADS, name=f"block_{i}")(x)
        return nn.Dense(5, name="head")(nn.LayerNorm(name="norm")(x[:, 0]))


class ResidualBlock(nn.Module):  # type: ignore[misc]
    features: int
    strides: int = 1

    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, x: Any, train: bool) -> Any:
        strides = (self.strides, self.strides)
        y = nn.Conv(self.features, (3, 3), strides, use_bias=False)(x)
        y = nn.relu(nn.BatchNorm(use_running_average=not train)(y))
        y = nn.Conv(self.features, (3, 3), use_bias=False)(y)
        y = nn.BatchNorm(use_running_average=not train)(y)
        if x.shape != y.shape:
            x = nn.Conv(self.features, (1, 1), strides, use_bias=False)(x)
            x = nn.BatchNorm(use_running_average=not train)(x)
        return nn.relu(x + y)


class ResNet(nn.Module):  # type: ignore[misc]
    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, images: Any, train: bool = False) -> Any:
        x = nn.relu(nn.Conv(8, (3, 3))(images))
        x = ResidualBlock(8)(x, train)
        x = ResidualBlock(8)(x, train)
        x = ResidualBlock(16, strides=2)(x, train)
        x = jnp.mean(x, axis=(1, 2))
        return nn.Dense(5)(x)


class Tagger(nn.Module):  # type: ignore[misc]
    """A recurrent net that reads both ways."""

    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, tokens: Any) -> Any:
        x = nn.Embed(VOCAB, 8)(tokens)
        forward, backward = nn.RNN(nn.GRUCell(12)), nn.RNN(nn.GRUCell(12))
        return nn.Dense(5)(nn.Bidirectional(forward, backward)(x))
