"""In JAX alone, by hand: functions of nested dicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

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

Params = dict[str, Any]
AFFINE = {"scale": jnp.ones, "bias": jnp.zeros}


def keys() -> Iterator[Array]:
    key = jax.random.key(0)
    while True:
        key, one = jax.random.split(key)
        yield one


KEYS = keys()


def kernel_and_bias(*shape: int) -> Params:
    kernel = jax.nn.initializers.lecun_normal()(next(KEYS), shape)
    return {"kernel": kernel, "bias": jnp.zeros(shape[-1])}


def affine(features: int) -> Params:
    return {name: make(features) for name, make in AFFINE.items()}


def linear(params: Params, x: Array) -> Array:
    return x @ params["kernel"] + params["bias"]


def standardized(x: Array, axes: tuple[int, ...]) -> Array:
    mean = jnp.mean(x, axes, keepdims=True)
    var = jnp.mean(jnp.square(x - mean), axes, keepdims=True)
    return (x - mean) * lax.rsqrt(var + 1e-5)


def layer_norm(params: Params, x: Array) -> Array:
    return standardized(x, (-1,)) * params["scale"] + params["bias"]


def rms_norm(params: Params, x: Array) -> Array:
    square = jnp.mean(jnp.square(x), -1, keepdims=True)
    return x * lax.rsqrt(square + 1e-6) * params["scale"]


def batch_norm(params: Params, x: Array) -> tuple[Array, Params]:
    axes = tuple(range(x.ndim - 1))
    mean = jnp.mean(x, axes)
    var = jnp.mean(jnp.square(x - mean), axes)
    y = (x - mean) * lax.rsqrt(var + 1e-5) * params["scale"] + params["bias"]
    new = {"mean": mean, "var": var}
    return y, {n: 0.9 * params[n] + 0.1 * s for n, s in new.items()}


def group_norm(params: Params, x: Array) -> Array:
    parts = x.reshape(*x.shape[:-1], GROUPS, x.shape[-1] // GROUPS)
    y = standardized(parts, (-4, -3, -1)).reshape(x.shape)
    return y * params["scale"] + params["bias"]


def attention(params: Params, x: Array) -> Array:
    q, k, v = (
        linear(params[n], x).reshape(*x.shape[:-1], HEADS, WIDTH // HEADS)
        for n in ("query", "key", "value")
    )
    mixed = jax.nn.dot_product_attention(q, k, v).reshape(x.shape)
    return linear(params["out"], mixed)


def block(params: Params, x: Array) -> Array:
    x = x + attention(params, layer_norm(params["ln_1"], x))
    y = jax.nn.gelu(linear(params["up"], layer_norm(params["ln_2"], x)))
    return x + linear(params["down"], y)


def attention_params() -> Params:
    names = ("query", "key", "value", "out")
    return {n: kernel_and_bias(WIDTH, WIDTH) for n in names}


def block_params() -> Params:
    wide = {
        "up": kernel_and_bias(WIDTH, 4 * WIDTH),
        "down": kernel_and_bias(4 * WIDTH, WIDTH),
    }
    norms = {"ln_1": affine(WIDTH), "ln_2": affine(WIDTH)}
    return attention_params() | wide | norms


def unrolled() -> Model:
    def transformer(params: list[Params], x: Array) -> Array:
        for layer in params:
            x = block(layer, x)
        return x

    layers = [block_params() for _ in range(DEPTH)]
    return Model(transformer, layers, (BATCH, TIME, WIDTH))


def scanned() -> Model:
    def transformer(params: Params, x: Array) -> Array:
        return lax.scan(lambda x, layer: (block(layer, x), None), x, params)[0]

    layers = [block_params() for _ in range(DEPTH)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *layers)
    return Model(transformer, stacked, (BATCH, TIME, WIDTH))


def conv(params: Params, x: Array, strides: int = 1) -> Array:
    y = lax.conv_general_dilated(
        x,
        params["kernel"],
        (strides, strides),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return y + params["bias"]


def conv_net() -> Model:
    def net(params: Params, x: Array) -> Array:
        x = jax.nn.relu(conv(params["stem"], x))
        for i, own in enumerate(params["stages"]):
            strides = 1 if i == 0 else 2
            y = jax.nn.relu(conv(own["conv_1"], x, strides))
            y = conv(own["conv_2"], y)
            x = jax.nn.relu(y + conv(own["skip"], x, strides))
        return linear(params["head"], jnp.mean(x, (-3, -2)))

    widths = [CHANNELS, *(CHANNELS * 2**i for i in range(STAGES))]
    stages = [
        {
            "conv_1": kernel_and_bias(3, 3, widths[i], widths[i + 1]),
            "conv_2": kernel_and_bias(3, 3, widths[i + 1], widths[i + 1]),
            "skip": kernel_and_bias(1, 1, widths[i], widths[i + 1]),
        }
        for i in range(STAGES)
    ]
    params = {
        "stem": kernel_and_bias(3, 3, COLORS, CHANNELS),
        "stages": stages,
        "head": kernel_and_bias(widths[-1], CLASSES),
    }
    return Model(net, params, (BATCH, SIDE, SIDE, COLORS))


def pooling() -> Model:
    def pools(params: Params, x: Array) -> Array:
        y = lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1), "SAME")
        total = lax.reduce_window(y, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        return total / 4

    return Model(pools, {}, POOLED)


def over_time(
    step: Callable[[Any, Array], tuple[Any, Array]], zeros: Any, x: Array
) -> Array:
    _, y = lax.scan(step, zeros, jnp.moveaxis(x, 1, 0))
    return jnp.moveaxis(y, 0, 1)


def lstm(sizes: Sequences) -> Model:
    def network(params: Params, x: Array) -> Array:
        def step(
            carry: tuple[Array, Array], x: Array
        ) -> tuple[tuple[Array, Array], Array]:
            h, c = carry
            y = x @ params["kernel"] + h @ params["recurrent"] + params["bias"]
            i, f, g, o = jnp.split(y, 4, -1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((x.shape[0], sizes.units))
        return over_time(step, (zeros, zeros), x)

    params = kernel_and_bias(sizes.features, 4 * sizes.units)
    params["recurrent"] = kernel_and_bias(sizes.units, 4 * sizes.units)["kernel"]
    return Model(network, params, sizes.shape)


def gru(sizes: Sequences) -> Model:
    def network(params: Params, x: Array) -> Array:
        def step(h: Array, x: Array) -> tuple[Array, Array]:
            a_r, a_z, a_n = jnp.split(linear(params["input"], x), 3, -1)
            b_r, b_z, b_n = jnp.split(linear(params["recurrent"], h), 3, -1)
            r, z = jax.nn.sigmoid(a_r + b_r), jax.nn.sigmoid(a_z + b_z)
            h = (1 - z) * jnp.tanh(a_n + r * b_n) + z * h
            return h, h

        return over_time(step, jnp.zeros((x.shape[0], sizes.units)), x)

    params = {
        "input": kernel_and_bias(sizes.features, 3 * sizes.units),
        "recurrent": kernel_and_bias(sizes.units, 3 * sizes.units),
    }
    return Model(network, params, sizes.shape)


def norms() -> Models:
    features = NORMED[-1]
    state = {"mean": jnp.zeros(features), "var": jnp.ones(features)}
    return {
        "layer_norm": lambda: Model(layer_norm, affine(features), NORMED),
        "rms_norm": lambda: Model(rms_norm, {"scale": jnp.ones(features)}, NORMED),
        "batch_norm": lambda: Model(batch_norm, affine(features) | state, NORMED),
        "group_norm": lambda: Model(group_norm, affine(features), NORMED),
    }


MODELS: Models = {
    "transformer, unrolled": unrolled,
    "transformer, scanned": scanned,
    "attention": lambda: Model(attention, attention_params(), ATTENDED),
    "conv net": conv_net,
    "pooling": pooling,
    "LSTM": lambda: lstm(MANY),
    "LSTM, batch of 4": lambda: lstm(FEW),
    "GRU": lambda: gru(MANY),
} | norms()
