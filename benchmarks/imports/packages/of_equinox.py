"""Every layer of Equinox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from equinox import nn

import blox as bx

from . import Example, classes

KEY = jax.random.key(0)
EVERY = classes(nn, eqx.Module, without=("StateIndex", "StatefulLayer"))
Shape: TypeAlias = Sequence[int | str]


def over_batch(
    model: Any, shape: Shape, *others: Shape, dtype: str = "float", **sizes: int
) -> Example:
    """A module that takes one example, with a batch of them."""
    inputs = {
        name: bx.Input(["batch", *one], dtype)
        for name, one in zip("xyz", (shape, *others), strict=False)
    }
    return Example(lambda m, *xs: jax.vmap(m)(*xs), inputs, model, sizes=sizes)


def _of(make: Callable[..., Any], *given: Any, on: Shape, **options: Any) -> Any:
    """Makes a layer of these settings, later."""
    return lambda: over_batch(make(*given, **options), on)


def _drawn(make: Callable[..., Any], *given: Any, on: Shape, **options: Any) -> Any:
    """Makes a layer whose arrays are drawn, later."""
    return _of(partial(make, key=KEY), *given, on=on, **options)


def _stateful(make: Callable[[], Any], *, on: Shape) -> Any:
    """Makes a layer with `eqx.nn.State`, later."""

    def call(given: Any, x: jax.Array) -> Any:
        model, state = given
        run = jax.vmap(model, axis_name="batch", in_axes=(0, None), out_axes=(0, None))
        return run(x, state)

    def example() -> Example:
        made = nn.make_with_state(make)()
        return Example(call, {"x": bx.Input(["batch", *on])}, made)

    return example


def _dropout() -> Example:
    return over_batch(nn.Dropout(0.5, inference=True), (4,))


def _embedding() -> Example:
    return over_batch(nn.Embedding(7, 4, key=KEY), (), dtype="int32")


def _rotary() -> Example:
    return over_batch(nn.RotaryPositionalEmbedding(8), ("time", 8), time=6)


def _attention() -> Example:
    model = nn.MultiheadAttention(2, 8, key_size=4, value_size=6, key=KEY)
    return over_batch(model, ("time", 8), ("source", 4), ("source", 6))


def _lstm_cell() -> Example:
    model = nn.LSTMCell(3, 4, key=KEY)
    return Example(
        lambda m, x, h, c: jax.vmap(lambda x, h, c: m(x, (h, c)))(x, h, c),
        {n: bx.Input(["batch", size]) for n, size in {"x": 3, "h": 4, "c": 4}.items()},
        model,
    )


def _shared() -> Example:
    """An embedding, whose table the head has too."""
    model = nn.Shared(
        {
            "embedding": nn.Embedding(7, 4, key=KEY),
            "head": nn.Linear(4, 7, use_bias=False, key=KEY),
        },
        where=lambda m: m["head"].weight,
        get=lambda m: m["embedding"].weight,
    )

    def call(shared: Any, ids: jax.Array) -> Any:
        layers = shared()
        return jax.vmap(lambda i: layers["head"](layers["embedding"](i)))(ids)

    return Example(call, {"ids": bx.Input(["batch"], "int32")}, model)


def _sequential() -> Example:
    one, two = jax.random.split(KEY)
    layers = [
        nn.Linear(4, 8, key=one),
        nn.Lambda(jax.nn.relu),
        nn.Linear(8, 2, key=two),
    ]
    return over_batch(nn.Sequential(layers), (4,))


LAYERS: dict[str, Callable[[], Example]] = {
    "AdaptiveAvgPool1d": _of(nn.AdaptiveAvgPool1d, 4, on=(2, 9)),
    "AdaptiveAvgPool2d": _of(nn.AdaptiveAvgPool2d, (2, 3), on=(2, 8, 9)),
    "AdaptiveAvgPool3d": _of(nn.AdaptiveAvgPool3d, (2, 3, 2), on=(2, 4, 9, 5)),
    "AdaptiveMaxPool1d": _of(nn.AdaptiveMaxPool1d, 4, on=(2, 9)),
    "AdaptiveMaxPool2d": _of(nn.AdaptiveMaxPool2d, (2, 3), on=(2, 8, 9)),
    "AdaptiveMaxPool3d": _of(nn.AdaptiveMaxPool3d, (2, 3, 2), on=(2, 4, 9, 5)),
    "AdaptivePool": _of(nn.AdaptivePool, 4, 1, jnp.min, on=(2, 9)),
    "AvgPool1d": _of(nn.AvgPool1d, 3, 2, padding=1, on=(2, 9)),
    "AvgPool2d": _of(nn.AvgPool2d, 2, 2, on=(2, 8, 8)),
    "AvgPool3d": _of(nn.AvgPool3d, 2, 2, on=(2, 4, 4, 6)),
    "BatchNorm": _stateful(
        lambda: nn.BatchNorm(4, "batch", mode="batch"), on=(4, "time")
    ),
    "Conv": _drawn(nn.Conv, 2, 4, 6, 3, groups=2, on=(4, "height", "width")),
    "Conv1d": _drawn(nn.Conv1d, 2, 4, 3, padding=1, on=(2, "time")),
    "Conv2d": _drawn(
        nn.Conv2d, 2, 4, 3, stride=2, padding="SAME", on=(2, "height", "width")
    ),
    "Conv3d": _drawn(nn.Conv3d, 2, 3, 2, on=(2, "depth", "height", "width")),
    "ConvTranspose": _drawn(nn.ConvTranspose, 1, 2, 4, 3, dilation=2, on=(2, "time")),
    "ConvTranspose1d": _drawn(nn.ConvTranspose1d, 2, 4, 3, stride=2, on=(2, "time")),
    "ConvTranspose2d": _drawn(
        nn.ConvTranspose2d, 2, 4, 3, stride=2, padding=1, on=(2, "height", "width")
    ),
    "ConvTranspose3d": _drawn(
        nn.ConvTranspose3d, 2, 3, 2, on=(2, "depth", "height", "width")
    ),
    "Dropout": _dropout,
    "Embedding": _embedding,
    "GRUCell": lambda: over_batch(nn.GRUCell(3, 4, key=KEY), (3,), (4,)),
    "GroupNorm": _of(nn.GroupNorm, 2, 4, on=(4, "time")),
    "Identity": _of(nn.Identity, on=(4,)),
    "LSTMCell": _lstm_cell,
    "Lambda": _of(nn.Lambda, jax.nn.gelu, on=(4,)),
    "LayerNorm": _of(nn.LayerNorm, 4, on=(4,)),
    "Linear": _drawn(nn.Linear, 4, 3, on=(4,)),
    "MLP": _drawn(nn.MLP, 4, 3, 8, 2, on=(4,)),
    "MaxPool1d": _of(nn.MaxPool1d, 3, 2, on=(2, 9)),
    "MaxPool2d": _of(nn.MaxPool2d, 3, 2, padding=1, on=(2, 9, 8)),
    "MaxPool3d": _of(nn.MaxPool3d, 2, 2, on=(2, 4, 4, 6)),
    "MultiheadAttention": _attention,
    "PReLU": _of(nn.PReLU, 0.1, on=(4,)),
    "Pool": _of(nn.Pool, 0.0, jax.lax.add, 1, 3, on=(2, "time")),
    "RMSNorm": _of(nn.RMSNorm, 4, on=(4,)),
    "RotaryPositionalEmbedding": _rotary,
    "Sequential": _sequential,
    "Shared": _shared,
    "SpectralNorm": _stateful(
        lambda: nn.SpectralNorm(nn.Linear(4, 3, key=KEY), "weight", key=KEY), on=(4,)
    ),
    "WeightNorm": _of(lambda: nn.WeightNorm(nn.Linear(4, 3, key=KEY)), on=(4,)),
}
