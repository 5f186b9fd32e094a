"""Layers of Flax, of NNX and of Linen, and what its documentation makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import nnx

import blox as bx

from . import Example

RNGS = nnx.Rngs(0)


def _nnx(model: Any, shape: Sequence[int | str]) -> Example:
    return Example(lambda m, x: m(x), {"x": bx.Input(["batch", *shape])}, model)


def _linen(module: Any, shape: Sequence[int]) -> Example:
    variables = module.init(jax.random.key(0), jnp.zeros((2, *shape)))
    return Example(module, {"x": bx.Input(["batch", *shape])}, variables)


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
    return _nnx(Digits(rngs=RNGS), (8, 8, 1))


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
    return _nnx(model, (4,))


def nnx_scan_over_blocks() -> Example:
    model = Stack(rngs=RNGS)
    model.eval()
    return _nnx(model, (4,))


def nnx_sequential() -> Example:
    model = nnx.Sequential(
        nnx.Linear(4, 8, rngs=RNGS), nnx.relu, nnx.Linear(8, 3, rngs=RNGS)
    )
    return _nnx(model, (4,))


def nnx_lora() -> Example:
    return _nnx(nnx.LoRALinear(4, 3, lora_rank=2, rngs=RNGS), (4,))


def nnx_linear_general() -> Example:
    return _nnx(nnx.LinearGeneral((3, 4), (2, 5), axis=(-2, -1), rngs=RNGS), (3, 4))


def nnx_einsum() -> Example:
    return _nnx(nnx.Einsum("bti,ijk->btjk", (4, 2, 3), (2, 3), rngs=RNGS), ("time", 4))


def nnx_embed() -> Example:
    return Example(
        lambda m, ids: m(ids),
        {"ids": bx.Input(["batch", "time"], "int32")},
        nnx.Embed(7, 4, rngs=RNGS),
    )


def nnx_conv() -> Example:
    model = nnx.Conv(2, 4, (3, 3), strides=2, rngs=RNGS)
    return _nnx(model, ("height", "width", 2))


def nnx_conv_transpose() -> Example:
    return _nnx(nnx.ConvTranspose(2, 4, (3,), strides=2, rngs=RNGS), ("time", 2))


def nnx_multi_head_attention() -> Example:
    model = nnx.MultiHeadAttention(2, 8, decode=False, rngs=RNGS)
    return _nnx(model, ("time", 8))


def nnx_layer_norm() -> Example:
    return _nnx(nnx.LayerNorm(4, rngs=RNGS), ("time", 4))


def nnx_rms_norm() -> Example:
    return _nnx(nnx.RMSNorm(4, rngs=RNGS), ("time", 4))


def nnx_group_norm() -> Example:
    return _nnx(nnx.GroupNorm(4, num_groups=2, rngs=RNGS), ("height", "width", 4))


def nnx_instance_norm() -> Example:
    return _nnx(nnx.InstanceNorm(4, rngs=RNGS), ("time", 4))


def nnx_rnn_of_lstm() -> Example:
    return _nnx(nnx.RNN(nnx.LSTMCell(3, 4, rngs=RNGS)), ("time", 3))


def nnx_rnn_of_gru() -> Example:
    return _nnx(nnx.RNN(nnx.GRUCell(3, 4, rngs=RNGS)), ("time", 3))


def nnx_bidirectional() -> Example:
    model = nnx.Bidirectional(
        nnx.RNN(nnx.LSTMCell(3, 4, rngs=RNGS)), nnx.RNN(nnx.LSTMCell(3, 4, rngs=RNGS))
    )
    return _nnx(model, ("time", 3))


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
    return _linen(LinenDigits(), (8, 8, 1))


class AutoEncoder(nn.Module):
    """An encoder and a decoder, with `setup`."""

    def setup(self) -> None:
        self.encoder = nn.Sequential([nn.Dense(8), nn.relu, nn.Dense(2)])
        self.decoder = nn.Sequential([nn.Dense(8), nn.relu, nn.Dense(4)])

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.decoder(self.encoder(x))


def linen_auto_encoder() -> Example:
    return _linen(AutoEncoder(), (4,))


def linen_layer_norm() -> Example:
    return _linen(nn.LayerNorm(), (5, 4))


def linen_weight_norm() -> Example:
    return _linen(nn.WeightNorm(nn.Dense(3)), (4,))


def linen_dense_general() -> Example:
    return _linen(nn.DenseGeneral((2, 5), axis=(-2, -1)), (3, 4))


def linen_self_attention() -> Example:
    return _linen(nn.MultiHeadDotProductAttention(num_heads=2), (5, 8))


def linen_rnn() -> Example:
    return _linen(nn.RNN(nn.GRUCell(4)), (5, 3))


def linen_conv_local() -> Example:
    return _linen(nn.ConvLocal(4, (3,)), (6, 2))
