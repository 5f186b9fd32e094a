"""In Equinox, by its own layers: of single items, under `jax.vmap`, channels first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax

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


def keys() -> Iterator[Array]:
    key = jax.random.key(0)
    while True:
        key, one = jax.random.split(key)
        yield one


KEYS = keys()


def pure(module: Any, call: Callable[..., Any], shape: tuple[int, ...]) -> Model:
    """The module as a function of its arrays."""
    arrays, rest = eqx.partition(module, eqx.is_inexact_array)
    return Model(lambda arrays, x: call(eqx.combine(arrays, rest), x), arrays, shape)


def mapped(module: Any, x: Array) -> Array:
    return jax.vmap(module)(x)


class Attention(eqx.Module):
    attn: eqx.nn.MultiheadAttention

    def __init__(self, key: Array) -> None:
        biases = dict.fromkeys(("query", "key", "value", "output"), True)
        self.attn = eqx.nn.MultiheadAttention(
            HEADS, WIDTH, key=key, **{f"use_{n}_bias": b for n, b in biases.items()}
        )

    def __call__(self, x: Array) -> Array:
        return self.attn(x, x, x)


class Block(eqx.Module):
    ln_1: eqx.nn.LayerNorm
    attn: Attention
    ln_2: eqx.nn.LayerNorm
    up: eqx.nn.Linear
    down: eqx.nn.Linear

    def __init__(self, key: Array) -> None:
        one, two, three = jax.random.split(key, 3)
        self.ln_1 = eqx.nn.LayerNorm(WIDTH)
        self.attn = Attention(one)
        self.ln_2 = eqx.nn.LayerNorm(WIDTH)
        self.up = eqx.nn.Linear(WIDTH, 4 * WIDTH, key=two)
        self.down = eqx.nn.Linear(4 * WIDTH, WIDTH, key=three)

    def __call__(self, x: Array) -> Array:
        x = x + self.attn(jax.vmap(self.ln_1)(x))
        y = jax.nn.gelu(jax.vmap(self.up)(jax.vmap(self.ln_2)(x)))
        return x + jax.vmap(self.down)(y)


def unrolled() -> Model:
    def transformer(blocks: list[Block], x: Array) -> Array:
        for block in blocks:
            x = block(x)
        return x

    def call(blocks: list[Block], x: Array) -> Array:
        return jax.vmap(lambda x: transformer(blocks, x))(x)

    blocks = [Block(next(KEYS)) for _ in range(DEPTH)]
    return pure(blocks, call, (BATCH, TIME, WIDTH))


def scanned() -> Model:
    def call(blocks: Block, x: Array) -> Array:
        arrays, rest = eqx.partition(blocks, eqx.is_array)

        def step(x: Array, own: Any) -> tuple[Array, None]:
            return jax.vmap(eqx.combine(own, rest))(x), None

        return lax.scan(step, x, arrays)[0]

    blocks = eqx.filter_vmap(Block)(jax.random.split(next(KEYS), DEPTH))
    return pure(blocks, call, (BATCH, TIME, WIDTH))


class Residual(eqx.Module):
    conv_1: eqx.nn.Conv2d
    conv_2: eqx.nn.Conv2d
    skip: eqx.nn.Conv2d

    def __init__(self, wide: int, features: int, strides: int) -> None:
        def conv(wide: int, size: int, strides: int = 1) -> eqx.nn.Conv2d:
            return eqx.nn.Conv2d(
                wide, features, size, strides, padding="SAME", key=next(KEYS)
            )

        self.conv_1, self.conv_2 = conv(wide, 3, strides), conv(features, 3)
        self.skip = conv(wide, 1, strides)

    def __call__(self, x: Array) -> Array:
        y = self.conv_2(jax.nn.relu(self.conv_1(x)))
        return jax.nn.relu(y + self.skip(x))


class ConvNet(eqx.Module):
    stem: eqx.nn.Conv2d
    stages: list[Residual]
    head: eqx.nn.Linear

    def __init__(self) -> None:
        self.stem = eqx.nn.Conv2d(COLORS, CHANNELS, 3, padding="SAME", key=next(KEYS))
        widths = [CHANNELS, *(CHANNELS * 2**i for i in range(STAGES))]
        self.stages = [
            Residual(widths[i], widths[i + 1], 1 if i == 0 else 2)
            for i in range(STAGES)
        ]
        self.head = eqx.nn.Linear(widths[-1], CLASSES, key=next(KEYS))

    def __call__(self, x: Array) -> Array:
        x = jax.nn.relu(self.stem(x))
        for stage in self.stages:
            x = stage(x)
        return self.head(jnp.mean(x, (-2, -1)))


class Pools(eqx.Module):
    first: eqx.nn.MaxPool2d
    second: eqx.nn.AvgPool2d

    def __init__(self) -> None:
        # What SAME is for an even size, a window of 3 and a stride of 2.
        self.first = eqx.nn.MaxPool2d(3, 2, padding=((0, 1), (0, 1)))
        self.second = eqx.nn.AvgPool2d(2, 2)

    def __call__(self, x: Array) -> Array:
        return self.second(self.first(x))


class LSTM(eqx.Module):
    cell: eqx.nn.LSTMCell

    def __init__(self, sizes: Sequences) -> None:
        self.cell = eqx.nn.LSTMCell(sizes.features, sizes.units, key=next(KEYS))

    def __call__(self, x: Array) -> Array:
        def step(
            carry: tuple[Array, Array], x: Array
        ) -> tuple[tuple[Array, Array], Array]:
            carry = self.cell(x, carry)
            return carry, carry[0]

        zeros = jnp.zeros(self.cell.hidden_size)
        return lax.scan(step, (zeros, zeros), x)[1]


class GRU(eqx.Module):
    cell: eqx.nn.GRUCell

    def __init__(self, sizes: Sequences) -> None:
        self.cell = eqx.nn.GRUCell(sizes.features, sizes.units, key=next(KEYS))

    def __call__(self, x: Array) -> Array:
        def step(h: Array, x: Array) -> tuple[Array, Array]:
            h = self.cell(x, h)
            return h, h

        return lax.scan(step, jnp.zeros(self.cell.hidden_size), x)[1]


def first(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with its channels before the spatial axes."""
    return (shape[0], shape[-1], *shape[1:-1])


def batch_norm() -> Model:
    norm, state = eqx.nn.make_with_state(eqx.nn.BatchNorm)(
        NORMED[-1], "batch", momentum=0.9, mode="batch"
    )

    def call(both: Any, x: Array) -> tuple[Array, Any]:
        norm, state = both
        run = jax.vmap(norm, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
        return run(x, state)

    return pure((norm, state), call, first(NORMED))


def per_place(norm: Any, x: Array) -> Array:
    for _ in NORMED[:-1]:
        norm = jax.vmap(norm)
    return norm(x)


MODELS: Models = {
    "transformer, unrolled": unrolled,
    "transformer, scanned": scanned,
    "attention": lambda: pure(Attention(next(KEYS)), mapped, ATTENDED),
    "conv net": lambda: pure(ConvNet(), mapped, first((BATCH, SIDE, SIDE, COLORS))),
    "pooling": lambda: pure(Pools(), mapped, first(POOLED)),
    "LSTM": lambda: pure(LSTM(MANY), mapped, MANY.shape),
    "LSTM, batch of 4": lambda: pure(LSTM(FEW), mapped, FEW.shape),
    "GRU": lambda: pure(GRU(MANY), mapped, MANY.shape),
    "layer_norm": lambda: pure(eqx.nn.LayerNorm(NORMED[-1]), per_place, NORMED),
    "rms_norm": lambda: pure(
        eqx.nn.RMSNorm(NORMED[-1], use_bias=False), per_place, NORMED
    ),
    "batch_norm": batch_norm,
    "group_norm": lambda: pure(
        eqx.nn.GroupNorm(GROUPS, NORMED[-1]), mapped, first(NORMED)
    ),
}
