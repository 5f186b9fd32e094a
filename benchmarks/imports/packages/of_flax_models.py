"""What the documentation of Flax makes of its layers, those of NNX and those of Linen."""

from __future__ import annotations

from functools import partial

import jax
from flax import linen as nn
from flax import nnx

from . import Example
from .of_linen import of_module
from .of_nnx import RNGS, of_model


class Digits(nnx.Module):
    """The classifier of digits, of NNX."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Conv(1, 4, kernel_size=(3, 3), rngs=rngs)
        self.conv2 = nnx.Conv(4, 8, kernel_size=(3, 3), rngs=rngs)
        self.avg_pool = partial(nnx.avg_pool, window_shape=(2, 2), strides=(2, 2))
        self.linear1 = nnx.Linear(32, 16, rngs=rngs)
        self.linear2 = nnx.Linear(16, 10, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = self.avg_pool(nnx.relu(self.conv1(x)))
        x = self.avg_pool(nnx.relu(self.conv2(x)))
        x = x.reshape(x.shape[0], -1)
        return self.linear2(nnx.relu(self.linear1(x)))


def nnx_classifier_of_digits() -> Example:
    return of_model(Digits(rngs=RNGS), (8, 8, 1))


class Block(nnx.Module):
    """A block with a norm and dropout."""

    def __init__(self, n: int, m: int, *, rngs: nnx.Rngs) -> None:
        self.linear = nnx.Linear(n, m, rngs=rngs)
        self.bn = nnx.BatchNorm(m, rngs=rngs)
        self.dropout = nnx.Dropout(0.1, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.dropout(nnx.gelu(self.bn(self.linear(x))))


class Stack(nnx.Module):
    """Blocks that are stacked, and scanned over."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        @nnx.split_rngs(splits=3)
        @nnx.vmap(in_axes=(0,), out_axes=0)
        def make(rngs: nnx.Rngs) -> Block:
            return Block(4, 4, rngs=rngs)

        self.blocks = make(rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        @nnx.scan(in_axes=(0, nnx.Carry), out_axes=nnx.Carry)
        def forward(block: Block, x: jax.Array) -> jax.Array:
            return block(x)

        return forward(self.blocks, x)


def nnx_block() -> Example:
    model = Block(4, 3, rngs=RNGS)
    model.eval()
    return of_model(model, (4,))


def nnx_scan_over_blocks() -> Example:
    model = Stack(rngs=RNGS)
    model.eval()
    return of_model(model, (4,))


class LinenDigits(nn.Module):
    """The classifier of digits, of Linen."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = nn.relu(nn.Conv(4, (3, 3))(x))
        x = nn.avg_pool(x, (2, 2), strides=(2, 2))
        x = nn.relu(nn.Conv(8, (3, 3))(x))
        x = nn.avg_pool(x, (2, 2), strides=(2, 2))
        x = x.reshape((x.shape[0], -1))
        return nn.Dense(10)(nn.relu(nn.Dense(16)(x)))


def linen_classifier_of_digits() -> Example:
    return of_module(LinenDigits(), (8, 8, 1))


class AutoEncoder(nn.Module):
    """An encoder and a decoder, with `setup`."""

    def setup(self) -> None:
        self.encoder = nn.Sequential([nn.Dense(8), nn.relu, nn.Dense(2)])
        self.decoder = nn.Sequential([nn.Dense(8), nn.relu, nn.Dense(4)])

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.decoder(self.encoder(x))


def linen_auto_encoder() -> Example:
    return of_module(AutoEncoder(), (4,))
