"""Layers of Equinox, and what its documentation makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

import blox as bx

from . import Example

KEY = jax.random.key(0)


def _layer(model: Any, shape: Sequence[int | str], **sizes: int) -> Example:
    """A layer of one example, with a batch."""
    return Example(
        lambda m, x: jax.vmap(m)(x),
        {"x": bx.Input(["batch", *shape])},
        model,
        sizes=sizes,
    )


class Convolutional(eqx.Module):
    """The classifier of digits."""

    layers: list[Any]

    def __init__(self, key: jax.Array) -> None:
        keys = jax.random.split(key, 4)
        self.layers = [
            eqx.nn.Conv2d(1, 3, kernel_size=4, key=keys[0]),
            eqx.nn.MaxPool2d(kernel_size=2),
            jax.nn.relu,
            jnp.ravel,
            eqx.nn.Linear(108, 16, key=keys[1]),
            jax.nn.sigmoid,
            eqx.nn.Linear(16, 8, key=keys[2]),
            jax.nn.relu,
            eqx.nn.Linear(8, 10, key=keys[3]),
            jax.nn.log_softmax,
        ]

    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in self.layers:
            x = layer(x)
        return x


def classifier_of_digits() -> Example:
    return _layer(Convolutional(KEY), (1, 10, 10))


class Recurrent(eqx.Module):
    """The classifier of spirals."""

    cell: eqx.nn.GRUCell
    linear: eqx.nn.Linear
    bias: jax.Array

    def __init__(self, key: jax.Array) -> None:
        one, two = jax.random.split(key)
        self.cell = eqx.nn.GRUCell(2, 8, key=one)
        self.linear = eqx.nn.Linear(8, 1, use_bias=False, key=two)
        self.bias = jnp.zeros(1)

    def __call__(self, x: jax.Array) -> jax.Array:
        def step(carry: jax.Array, now: jax.Array) -> tuple[jax.Array, None]:
            return self.cell(now, carry), None

        out, _ = jax.lax.scan(step, jnp.zeros(8), x)
        return jax.nn.sigmoid(self.linear(out) + self.bias)


def classifier_of_spirals() -> Example:
    return _layer(Recurrent(KEY), ("time", 2))


class Encoder(eqx.Module):
    """A block of BERT's encoder."""

    attention: eqx.nn.MultiheadAttention
    norm: eqx.nn.LayerNorm
    up: eqx.nn.Linear
    down: eqx.nn.Linear

    def __init__(self, key: jax.Array) -> None:
        keys = jax.random.split(key, 3)
        self.attention = eqx.nn.MultiheadAttention(
            2, 8, use_query_bias=True, use_output_bias=True, key=keys[0]
        )
        self.norm = eqx.nn.LayerNorm(8)
        self.up = eqx.nn.Linear(8, 16, key=keys[1])
        self.down = eqx.nn.Linear(16, 8, key=keys[2])

    def __call__(self, x: jax.Array) -> jax.Array:
        x = jax.vmap(self.norm)(x + self.attention(x, x, x))
        return x + jax.vmap(lambda one: self.down(jax.nn.gelu(self.up(one))))(x)


def encoder_of_bert() -> Example:
    return _layer(Encoder(KEY), ("time", 8))


class Mixer(eqx.Module):
    """A block of the MLP mixer."""

    patches: eqx.nn.MLP
    channels: eqx.nn.MLP
    norm_1: eqx.nn.LayerNorm
    norm_2: eqx.nn.LayerNorm

    def __init__(self, key: jax.Array) -> None:
        one, two = jax.random.split(key)
        self.patches = eqx.nn.MLP(6, 6, 8, depth=1, key=one)
        self.channels = eqx.nn.MLP(4, 4, 8, depth=1, key=two)
        self.norm_1 = eqx.nn.LayerNorm((4, 6))
        self.norm_2 = eqx.nn.LayerNorm((6, 4))

    def __call__(self, y: jax.Array) -> jax.Array:
        y = y + jax.vmap(self.patches)(self.norm_1(y))
        y = y.T
        y = y + jax.vmap(self.channels)(self.norm_2(y))
        return y.T


def block_of_mixer() -> Example:
    return _layer(Mixer(KEY), (4, 6))


def mlp() -> Example:
    return _layer(eqx.nn.MLP(4, 3, 8, depth=2, key=KEY), (4,))


def linear() -> Example:
    return _layer(eqx.nn.Linear(4, 3, key=KEY), (4,))


def sequential() -> Example:
    one, two = jax.random.split(KEY)
    return _layer(
        eqx.nn.Sequential(
            [
                eqx.nn.Linear(4, 8, key=one),
                eqx.nn.Lambda(jax.nn.relu),
                eqx.nn.Linear(8, 2, key=two),
            ]
        ),
        (4,),
    )


def ensemble() -> Example:
    make = eqx.filter_vmap(lambda key: eqx.nn.MLP(4, 3, 8, 1, key=key))

    def call(models: Any, x: jax.Array) -> jax.Array:
        run = eqx.filter_vmap(
            lambda m, x: jax.vmap(m)(x), in_axes=(eqx.if_array(0), None)
        )
        return run(models, x)

    models = make(jax.random.split(KEY, 3))
    return Example(call, {"x": bx.Input(["batch", 4])}, models)


def embedding() -> Example:
    model = eqx.nn.Embedding(7, 4, key=KEY)
    return Example(
        lambda m, ids: jax.vmap(jax.vmap(m))(ids),
        {"ids": bx.Input(["batch", "time"], "int32")},
        model,
    )


def rotary_positional_embedding() -> Example:
    model = eqx.nn.RotaryPositionalEmbedding(8)
    return _layer(model, ("time", 8), time=6)


def conv_1d() -> Example:
    return _layer(eqx.nn.Conv1d(2, 4, 3, padding=1, key=KEY), (2, "time"))


def conv_2d() -> Example:
    model = eqx.nn.Conv2d(2, 4, 3, stride=2, padding="SAME", key=KEY)
    return _layer(model, (2, "height", "width"))


def conv_transpose_2d() -> Example:
    model = eqx.nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1, key=KEY)
    return _layer(model, (2, "height", "width"))


def avg_pool_2d() -> Example:
    return _layer(eqx.nn.AvgPool2d(2, 2), (2, 8, 8))


def max_pool_1d() -> Example:
    return _layer(eqx.nn.MaxPool1d(3, 2), (2, 9))


def adaptive_avg_pool_1d() -> Example:
    return _layer(eqx.nn.AdaptiveAvgPool1d(4), (2, 9))


def adaptive_max_pool_2d() -> Example:
    return _layer(eqx.nn.AdaptiveMaxPool2d((2, 3)), (2, 8, 9))


def gru_cell() -> Example:
    model = eqx.nn.GRUCell(3, 4, key=KEY)
    return Example(
        lambda m, x, h: jax.vmap(m)(x, h),
        {"x": bx.Input(["batch", 3]), "h": bx.Input(["batch", 4])},
        model,
    )


def lstm_cell() -> Example:
    model = eqx.nn.LSTMCell(3, 4, key=KEY)
    return Example(
        lambda m, x, h, c: jax.vmap(lambda x, h, c: m(x, (h, c)))(x, h, c),
        {
            "x": bx.Input(["batch", 3]),
            "h": bx.Input(["batch", 4]),
            "c": bx.Input(["batch", 4]),
        },
        model,
    )


def layer_norm() -> Example:
    return _layer(eqx.nn.LayerNorm(4), (4,))


def rms_norm() -> Example:
    return _layer(eqx.nn.RMSNorm(4), (4,))


def group_norm() -> Example:
    return _layer(eqx.nn.GroupNorm(2, 4), (4, "time"))


def prelu() -> Example:
    return _layer(eqx.nn.PReLU(0.1), (4,))


def _stateful(make: Any, shape: Sequence[int | str]) -> Example:
    made = eqx.nn.make_with_state(make)()

    def call(given: Any, x: jax.Array) -> Any:
        model, state = given
        run = jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
        return run(x, state)

    return Example(call, {"x": bx.Input(["batch", *shape])}, made)


def batch_norm() -> Example:
    return _stateful(lambda: eqx.nn.BatchNorm(4, "batch", mode="batch"), (4, "time"))


def spectral_norm() -> Example:
    def make() -> Any:
        layer = eqx.nn.Linear(4, 3, key=KEY)
        return eqx.nn.SpectralNorm(layer, "weight", key=KEY)

    return _stateful(make, (4,))


def weight_norm() -> Example:
    return _layer(eqx.nn.WeightNorm(eqx.nn.Linear(4, 3, key=KEY)), (4,))
