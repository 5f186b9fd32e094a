"""Every layer of Haiku, and its nets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import haiku as hk
import jax
import jax.numpy as jnp

import blox as bx

from . import Example, classes

SIZES = tuple(f"ResNet{size}" for size in (18, 34, 50, 101, 152, 200))
EVERY = (
    *classes(hk, hk.Module, without=("RNNCore",)),
    *classes(hk.nets, hk.Module, without=SIZES),
)
Shape: TypeAlias = Sequence[int | str]
IMAGE = ("height", "width", 2)


def _run(call: Callable[..., Any], *shapes: Shape) -> Any:
    """Makes a transformed function of batches, later."""

    def example() -> Example:
        transformed = hk.transform_with_state(call)
        names = "xyz"[: len(shapes)]
        inputs = {
            n: bx.Input(["batch", *s]) for n, s in zip(names, shapes, strict=True)
        }
        given = [
            jnp.zeros([2, *(4 if isinstance(n, str) else n for n in s)]) for s in shapes
        ]
        return Example(transformed, inputs, transformed.init(jax.random.key(0), *given))

    return example


def _of(make: Callable[..., Any], *given: Any, on: Shape, **options: Any) -> Any:
    """Makes a layer of these settings, later."""
    return _run(lambda x: make(*given, **options)(x), on)


def _core(make: Callable[[], Any], on: Shape = (3,), memory: Shape = (4,)) -> Any:
    """Makes a cell with one array of memory, later."""
    return _run(lambda x, y: make()(x, y), on, memory)


def _conv_lstm(make: Any, on: tuple[int, ...]) -> Any:
    def call(x: jax.Array, y: jax.Array, z: jax.Array) -> Any:
        return make(on, 4, 3)(x, hk.LSTMState(y, z))

    return _run(call, (*on, 2), (*on, 4), (*on, 4))


def _lstm(x: jax.Array, y: jax.Array, z: jax.Array) -> Any:
    return hk.LSTM(4)(x, hk.LSTMState(y, z))


def _deep(x: jax.Array, y: jax.Array, z: jax.Array) -> Any:
    return hk.DeepRNN([hk.VanillaRNN(4), jax.nn.relu, hk.GRU(4)])(x, (y, z))


def _reset(x: jax.Array, y: jax.Array) -> Any:
    restart = x[:, 0] > 0
    return hk.ResetCore(hk.GRU(4))((x, restart), y)


def _attention(x: jax.Array) -> Any:
    return hk.MultiHeadAttention(2, 4, w_init_scale=1.0)(x, x, x)


def _tree(make: Callable[[], Any]) -> Any:
    """Makes what is computed of all weights of a layer, later."""

    def call(x: jax.Array) -> Any:
        weights = {"layer": {"w": hk.get_parameter("w", (3, 4), init=jnp.ones)}}
        return x @ make()(weights)["layer"]["w"]

    return _run(call, (3,))


def _spectral(x: jax.Array) -> Any:
    w = hk.get_parameter("w", (3, 4), init=jnp.ones)
    return x @ hk.SpectralNorm()(w)


def _normed(make: Any, on: Shape) -> Any:
    """Makes a net with statistics of batches, later: they are there once it was trained."""

    def example() -> Example:
        transformed = hk.transform_with_state(
            lambda x, is_training: make()(x, is_training)
        )
        given = jnp.zeros([2, *(4 if isinstance(n, str) else n for n in on)])
        made = transformed.init(jax.random.key(0), given, True)
        return Example(transformed, {"x": bx.Input(["batch", *on])}, made)

    return example


def _resnet(make: Any, **options: Any) -> Any:
    return _normed(lambda: make(num_classes=5, **options), (32, 32, 3))


def _quantized(make: Callable[[], Any]) -> Any:
    def call(x: jax.Array) -> Any:
        found = make()(x, is_training=True)
        return found["quantize"], found["loss"], found["encoding_indices"]

    return _run(call, ("time", 4))


LAYERS: dict[str, Callable[[], Example]] = {
    "AvgPool": _of(hk.AvgPool, (2, 2), (2, 2), "SAME", on=(8, 8, 2)),
    "BatchNorm": _normed(lambda: hk.BatchNorm(True, True, 0.9), IMAGE),
    "Bias": _of(hk.Bias, on=(4,)),
    "Conv1D": _of(hk.Conv1D, 4, 3, on=("time", 2)),
    "Conv1DLSTM": _conv_lstm(hk.Conv1DLSTM, (6,)),
    "Conv1DTranspose": _of(hk.Conv1DTranspose, 4, 3, 2, on=("time", 2)),
    "Conv2D": _of(hk.Conv2D, 4, 3, 2, on=IMAGE),
    "Conv2DLSTM": _conv_lstm(hk.Conv2DLSTM, (6, 5)),
    "Conv2DTranspose": _of(hk.Conv2DTranspose, 4, 3, 2, on=IMAGE),
    "Conv3D": _of(hk.Conv3D, 4, 3, on=("depth", *IMAGE)),
    "Conv3DLSTM": _conv_lstm(hk.Conv3DLSTM, (4, 3, 3)),
    "Conv3DTranspose": _of(hk.Conv3DTranspose, 4, 3, 2, on=("depth", *IMAGE)),
    "ConvND": _of(hk.ConvND, 2, 4, 3, rate=2, on=IMAGE),
    "ConvNDTranspose": _of(hk.ConvNDTranspose, 1, 4, 3, on=("time", 2)),
    "DeepRNN": _run(_deep, (3,), (4,), (4,)),
    "DepthwiseConv1D": _of(hk.DepthwiseConv1D, 2, 3, on=("time", 2)),
    "DepthwiseConv2D": _of(hk.DepthwiseConv2D, 2, 3, on=IMAGE),
    "DepthwiseConv3D": _of(hk.DepthwiseConv3D, 2, 3, on=("depth", *IMAGE)),
    "EMAParamsTree": _tree(lambda: hk.EMAParamsTree(0.9)),
    "Embed": _run(lambda x: hk.Embed(7, 4)((x > 0).astype("int32")), ("time",)),
    "ExponentialMovingAverage": _run(
        lambda x: hk.ExponentialMovingAverage(0.9)(x.mean(0)), (4,)
    ),
    "Flatten": _of(hk.Flatten, on=(3, 4)),
    "GRU": _core(lambda: hk.GRU(4)),
    "GroupNorm": _of(hk.GroupNorm, 2, on=("height", "width", 4)),
    "IdentityCore": _core(hk.IdentityCore),
    "InstanceNorm": _of(hk.InstanceNorm, True, True, on=IMAGE),
    "LSTM": _run(_lstm, (3,), (4,), (4,)),
    "LayerNorm": _of(hk.LayerNorm, -1, True, True, on=("time", 4)),
    "Linear": _of(hk.Linear, 3, on=("time", 4)),
    "MaxPool": _of(hk.MaxPool, (2, 2), (2, 2), "VALID", on=(8, 8, 2)),
    "MultiHeadAttention": _run(_attention, ("time", 8)),
    "RMSNorm": _of(hk.RMSNorm, -1, on=("time", 4)),
    "ResetCore": _run(_reset, (3,), (4,)),
    "Reshape": _of(hk.Reshape, (4, 3), on=(3, 4)),
    "SNParamsTree": _tree(hk.SNParamsTree),
    "SeparableDepthwiseConv2D": _of(hk.SeparableDepthwiseConv2D, 2, 3, on=IMAGE),
    "Sequential": _run(
        lambda x: hk.Sequential([hk.Linear(8), jax.nn.relu, hk.Linear(3)])(x), (4,)
    ),
    "SpectralNorm": _run(_spectral, (3,)),
    "VanillaRNN": _core(lambda: hk.VanillaRNN(4)),
    "MLP": _of(hk.nets.MLP, [8, 3], on=(4,)),
    "MobileNetV1": _normed(
        lambda: hk.nets.MobileNetV1((1, 2, 2), (8, 8, 16), 5), (16, 16, 3)
    ),
    "ResNet": _resnet(
        hk.nets.ResNet,
        blocks_per_group=[1, 2, 1, 1],
        channels_per_group=(8, 8, 16, 16),
    ),
    "VectorQuantizer": _quantized(lambda: hk.nets.VectorQuantizer(4, 5, 0.25)),
    "VectorQuantizerEMA": _quantized(
        lambda: hk.nets.VectorQuantizerEMA(4, 5, 0.25, 0.9)
    ),
}
