"""Every layer of Flax Linen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from flax import linen as nn

import blox as bx

from . import Example, classes

EVERY = classes(nn, nn.Module, without=("RNNCellBase",))
Shape: TypeAlias = Sequence[int | str]


def of_module(
    module: Any, shape: Shape, *others: Shape, dtype: str = "float", refused: str = ""
) -> Example:
    """A module that takes batches."""
    inputs = {
        name: bx.Input(["batch", *one], dtype)
        for name, one in zip("xyz", (shape, *others), strict=False)
    }
    given = [
        jnp.zeros(
            [2, *(3 if isinstance(n, str) else n for n in one)],
            "int32" if dtype == "int32" else "float32",
        )
        for one in (shape, *others)
    ]
    variables = module.init(jax.random.key(0), *given)
    return Example(module, inputs, variables, refused=refused)


def _of(make: Callable[..., Any], *given: Any, on: Shape, **options: Any) -> Any:
    """Makes a layer of these settings, later."""
    return lambda: of_module(make(*given, **options), on)


class Cell(nn.Module):
    """A cell, whose memory may be a pair of arrays."""

    cell: nn.Module

    def __call__(self, x: jax.Array, *memory: jax.Array) -> Any:
        return self.cell(memory if len(memory) > 1 else memory[0], x)


def _cell(cell: Any, on: Shape, memory: Shape, pair: bool = False) -> Any:
    return lambda: of_module(Cell(cell), on, *[memory] * (2 if pair else 1))


class Calibrated(nn.Module):
    """A dense layer that multiplies in float8."""

    operator: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.Dense(3, dot_general_cls=self.operator)(x)


def _float8(operator: Any) -> Any:
    return lambda: of_module(Calibrated(operator), (4,), refused="float8")


class Einsum8(nn.Module):
    """A product in float8."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param("kernel", nn.initializers.ones, (4, 3))
        return nn.Fp8Einsum()("bi,ij->bj", x, kernel)


class Evaluated(nn.Module):
    """A spectral norm, as it is in evaluation."""

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        return nn.SpectralNorm(nn.Dense(3))(x, update_stats=False)


LAYERS: dict[str, Callable[[], Example]] = {
    "BatchNorm": _of(nn.BatchNorm, use_running_average=True, on=("time", 4)),
    "Bidirectional": lambda: of_module(
        nn.Bidirectional(nn.RNN(nn.LSTMCell(4)), nn.RNN(nn.LSTMCell(4))), ("time", 3)
    ),
    "Conv": _of(nn.Conv, 4, (3, 3), strides=2, on=("height", "width", 2)),
    "ConvLSTMCell": _cell(
        nn.ConvLSTMCell(4, (3, 3)),
        ("height", "width", 2),
        ("height", "width", 4),
        pair=True,
    ),
    "ConvLocal": _of(nn.ConvLocal, 4, (3,), on=(6, 2)),
    "ConvTranspose": _of(nn.ConvTranspose, 4, (3,), strides=(2,), on=("time", 2)),
    "Dense": _of(nn.Dense, 3, on=("time", 4)),
    "DenseGeneral": _of(nn.DenseGeneral, (2, 5), axis=(-2, -1), on=(3, 4)),
    "Dropout": _of(nn.Dropout, 0.5, deterministic=True, on=(4,)),
    "Einsum": _of(nn.Einsum, (4, 2, 3), "bti,ijk->btjk", on=("time", 4)),
    "Embed": lambda: of_module(nn.Embed(7, 4), ("time",), dtype="int32"),
    "Fp8DirectDotGeneralOp": _float8(nn.Fp8DirectDotGeneralOp),
    "Fp8DotGeneral": _float8(nn.Fp8DotGeneral),
    "Fp8DotGeneralOp": _float8(nn.Fp8DotGeneralOp),
    "Fp8Einsum": lambda: of_module(Einsum8(), (4,), refused="float8"),
    "GRUCell": _cell(nn.GRUCell(4), (3,), (4,)),
    "GroupNorm": _of(nn.GroupNorm, 2, on=("height", "width", 4)),
    "InstanceNorm": _of(nn.InstanceNorm, on=("time", 4)),
    "LSTMCell": _cell(nn.LSTMCell(4), (3,), (4,), pair=True),
    "LayerNorm": _of(nn.LayerNorm, on=("time", 4)),
    "MGUCell": _cell(nn.MGUCell(4), (3,), (4,)),
    "MultiHeadAttention": lambda: of_module(
        nn.MultiHeadAttention(2), ("time", 8), ("source", 8)
    ),
    "MultiHeadDotProductAttention": _of(
        nn.MultiHeadDotProductAttention, 2, on=("time", 8)
    ),
    "NANOOFp8DotGeneralOp": _float8(nn.NANOOFp8DotGeneralOp),
    "OptimizedLSTMCell": _cell(nn.OptimizedLSTMCell(4), (3,), (4,), pair=True),
    "PReLU": _of(nn.PReLU, on=(4,)),
    "RMSNorm": _of(nn.RMSNorm, on=("time", 4)),
    "RNN": lambda: of_module(nn.RNN(nn.GRUCell(4)), ("time", 3)),
    "SelfAttention": _of(nn.SelfAttention, 2, on=("time", 8)),
    "Sequential": lambda: of_module(
        nn.Sequential([nn.Dense(8), nn.relu, nn.Dense(3)]), (4,)
    ),
    "SimpleCell": _cell(nn.SimpleCell(4), (3,), (4,)),
    "SpectralNorm": lambda: of_module(Evaluated(), (4,)),
    "WeightNorm": lambda: of_module(nn.WeightNorm(nn.Dense(3)), (4,)),
}
