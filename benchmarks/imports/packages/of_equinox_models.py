"""What the documentation of Equinox makes of its layers."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

import blox as bx

from . import Example
from .of_equinox import KEY, over_batch


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
    return over_batch(Convolutional(KEY), (1, 10, 10))


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
    return over_batch(Recurrent(KEY), ("time", 2))


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
    return over_batch(Encoder(KEY), ("time", 8))


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
    return over_batch(Mixer(KEY), (4, 6))


def ensemble() -> Example:
    make = eqx.filter_vmap(lambda key: eqx.nn.MLP(4, 3, 8, 1, key=key))

    def call(models: Any, x: jax.Array) -> jax.Array:
        run = eqx.filter_vmap(
            lambda m, x: jax.vmap(m)(x), in_axes=(eqx.if_array(0), None)
        )
        return run(models, x)

    models = make(jax.random.split(KEY, 3))
    return Example(call, {"x": bx.Input(["batch", 4])}, models)
