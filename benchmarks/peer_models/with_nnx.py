"""In Flax NNX, by its own layers: split into arrays and the rest, merged in the function."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from .sizes import (
    ATTENDED,
    BATCH,
    CHANNELS,
    CLASSES,
    COLORS,
    DEPTH,
    FEW,
    GROUPS,
    HEADS,
    MANY,
    NORMED,
    POOLED,
    SIDE,
    STAGES,
    TIME,
    WIDTH,
    Model,
    Models,
    Sequences,
)


def pure(module: Any, shape: tuple[int, ...]) -> Model:
    """The module as a function of its arrays."""
    graph, arrays = nnx.split(module)
    return Model(lambda arrays, x: nnx.merge(graph, arrays)(x), arrays, shape)


def attention(rngs: nnx.Rngs) -> nnx.MultiHeadAttention:
    return nnx.MultiHeadAttention(HEADS, WIDTH, decode=False, rngs=rngs)


class Block(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.ln_1 = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.attn = attention(rngs)
        self.ln_2 = nnx.LayerNorm(WIDTH, rngs=rngs)
        self.up = nnx.Linear(WIDTH, 4 * WIDTH, rngs=rngs)
        self.down = nnx.Linear(4 * WIDTH, WIDTH, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        x = x + self.attn(self.ln_1(x))
        return x + self.down(jax.nn.gelu(self.up(self.ln_2(x))))


class Unrolled(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.blocks = nnx.List([Block(rngs) for _ in range(DEPTH)])

    def __call__(self, x: Array) -> Array:
        for block in self.blocks:
            x = block(x)
        return x


class Scanned(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        make = nnx.vmap(Block, in_axes=0)
        self.blocks = make(rngs.fork(split=DEPTH))

    def __call__(self, x: Array) -> Array:
        @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
        def run(x: Array, block: Block) -> Array:
            return block(x)

        return run(x, self.blocks)


class Residual(nnx.Module):
    def __init__(self, wide: int, features: int, strides: int, rngs: nnx.Rngs) -> None:
        self.conv_1 = nnx.Conv(wide, features, (3, 3), strides=strides, rngs=rngs)
        self.conv_2 = nnx.Conv(features, features, (3, 3), rngs=rngs)
        self.skip = nnx.Conv(wide, features, (1, 1), strides=strides, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        y = self.conv_2(jax.nn.relu(self.conv_1(x)))
        return jax.nn.relu(y + self.skip(x))


class ConvNet(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.stem = nnx.Conv(COLORS, CHANNELS, (3, 3), rngs=rngs)
        widths = [CHANNELS, *(CHANNELS * 2**i for i in range(STAGES))]
        self.stages = nnx.List(
            Residual(widths[i], widths[i + 1], 1 if i == 0 else 2, rngs)
            for i in range(STAGES)
        )
        self.head = nnx.Linear(widths[-1], CLASSES, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        x = jax.nn.relu(self.stem(x))
        for stage in self.stages:
            x = stage(x)
        return self.head(jnp.mean(x, (-3, -2)))


class Pools(nnx.Module):
    def __call__(self, x: Array) -> Array:
        y = nnx.max_pool(x, (3, 3), strides=(2, 2), padding="SAME")
        return nnx.avg_pool(y, (2, 2), strides=(2, 2))


class BatchNorm(nnx.BatchNorm):
    def __call__(self, x: Array) -> tuple[Array, Any]:
        return super().__call__(x), nnx.state(self, nnx.BatchStat)


def made(module: Callable[..., Any], shape: tuple[int, ...]) -> Callable[[], Model]:
    return lambda: pure(module(rngs=nnx.Rngs(0)), shape)


def recurrent(cell: Callable[..., Any], sizes: Sequences) -> Callable[[], Model]:
    def network(rngs: nnx.Rngs) -> nnx.RNN:
        return nnx.RNN(cell(sizes.features, sizes.units, rngs=rngs))

    return made(network, sizes.shape)


NARROW = NORMED[-1]


def norms(fast: bool) -> Models:
    layers = {
        "layer_norm": partial(nnx.LayerNorm, NARROW),
        "batch_norm": partial(BatchNorm, NARROW, momentum=0.9),
        "group_norm": partial(nnx.GroupNorm, NARROW, num_groups=GROUPS),
    }
    return {
        name: made(partial(layer, use_fast_variance=fast), NORMED)
        for name, layer in layers.items()
    }


MODELS: Models = {
    "transformer, unrolled": made(Unrolled, (BATCH, TIME, WIDTH)),
    "transformer, scanned": made(Scanned, (BATCH, TIME, WIDTH)),
    "attention": made(attention, ATTENDED),
    "conv net": made(ConvNet, (BATCH, SIDE, SIDE, COLORS)),
    "pooling": lambda: pure(Pools(), POOLED),
    "LSTM": recurrent(nnx.OptimizedLSTMCell, MANY),
    "LSTM, batch of 4": recurrent(nnx.OptimizedLSTMCell, FEW),
    "GRU": recurrent(nnx.GRUCell, MANY),
    "rms_norm": made(partial(nnx.RMSNorm, NARROW), NORMED),
} | norms(fast=False)

FAST: Models = norms(fast=True)
"""As NNX has them by default: variance in one pass, which is off at large means."""
