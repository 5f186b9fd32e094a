"""Every layer of Flax NNX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
from flax import nnx

import blox as bx

from . import Example, classes

RNGS = nnx.Rngs(0)
EVERY = classes(nnx, nnx.Module, without=("RNNCellBase",))
Shape: TypeAlias = Sequence[int | str]


def of_model(
    model: Any, shape: Shape, call: Any = None, dtype: str = "float"
) -> Example:
    """A module that takes batches."""
    inputs = {"x": bx.Input(["batch", *shape], dtype)}
    return Example(call or (lambda m, x: m(x)), inputs, model)


def _of(make: Callable[..., Any], *given: Any, on: Shape, **options: Any) -> Any:
    """Makes a layer of these settings, later."""
    return lambda: of_model(make(*given, **options, rngs=RNGS), on)


def _cell(make: Callable[..., Any], pair: bool) -> Any:
    """Makes a cell, later; its memory may be a pair of arrays."""

    def call(m: Any, x: jax.Array, *memory: jax.Array) -> Any:
        return m(memory if pair else memory[0], x)

    names = ("c", "h") if pair else ("h",)
    inputs = {n: bx.Input(["batch", 4]) for n in names}
    return lambda: Example(
        call, {"x": bx.Input(["batch", 3]), **inputs}, make(3, 4, rngs=RNGS)
    )


def _bidirectional() -> Example:
    cells = [nnx.RNN(nnx.LSTMCell(3, 4, rngs=RNGS)) for _ in range(2)]
    return of_model(nnx.Bidirectional(*cells), ("time", 3))


def _dropout() -> Example:
    return of_model(nnx.Dropout(0.5, deterministic=True), (4,))


def _batch_norm() -> Example:
    model = nnx.BatchNorm(4, use_running_average=True, rngs=RNGS)
    return of_model(model, ("time", 4))


def _lora() -> Example:
    base = nnx.Linear(4, 3, rngs=RNGS)
    return of_model(nnx.LoRA(4, 2, 3, base_module=base, rngs=RNGS), (4,))


def _linears() -> list[nnx.Linear]:
    return [nnx.Linear(4, 4, rngs=RNGS) for _ in range(3)]


def _dict() -> Example:
    one, two, _ = _linears()
    model = nnx.Dict(up=one, down=two)
    return of_model(model, (4,), lambda m, x: m["down"](nnx.relu(m["up"](x))))


def _list() -> Example:
    def call(m: Any, x: jax.Array) -> jax.Array:
        for layer in m:
            x = nnx.relu(layer(x))
        return x

    return of_model(nnx.List(_linears()), (4,), call)


def _sequential() -> Example:
    one, two, _ = _linears()
    return of_model(nnx.Sequential(one, nnx.relu, two), (4,))


def _spectral_norm() -> Example:
    model = nnx.SpectralNorm(nnx.Linear(4, 3, rngs=RNGS), rngs=RNGS)
    return of_model(model, (4,), lambda m, x: m(x, update_stats=False))


LAYERS: dict[str, Callable[[], Example]] = {
    "BatchNorm": _batch_norm,
    "Bidirectional": _bidirectional,
    "Conv": _of(nnx.Conv, 2, 4, (3, 3), strides=2, on=("height", "width", 2)),
    "ConvTranspose": _of(nnx.ConvTranspose, 2, 4, (3,), strides=2, on=("time", 2)),
    "Dict": _dict,
    "Dropout": _dropout,
    "Einsum": _of(nnx.Einsum, "bti,ijk->btjk", (4, 2, 3), (2, 3), on=("time", 4)),
    "Embed": lambda: of_model(nnx.Embed(7, 4, rngs=RNGS), ("time",), dtype="int32"),
    "GRUCell": _cell(nnx.GRUCell, False),
    "GroupNorm": _of(nnx.GroupNorm, 4, num_groups=2, on=("height", "width", 4)),
    "InstanceNorm": _of(nnx.InstanceNorm, 4, on=("time", 4)),
    "LSTMCell": _cell(nnx.LSTMCell, True),
    "LayerNorm": _of(nnx.LayerNorm, 4, on=("time", 4)),
    "Linear": _of(nnx.Linear, 4, 3, on=("time", 4)),
    "LinearGeneral": _of(nnx.LinearGeneral, (3, 4), (2, 5), axis=(-2, -1), on=(3, 4)),
    "List": _list,
    "LoRA": _lora,
    "LoRALinear": _of(nnx.LoRALinear, 4, 3, lora_rank=2, on=(4,)),
    "MultiHeadAttention": _of(
        nnx.MultiHeadAttention, 2, 8, decode=False, on=("time", 8)
    ),
    "OptimizedLSTMCell": _cell(nnx.OptimizedLSTMCell, True),
    "PReLU": lambda: of_model(nnx.PReLU(0.1), (4,)),
    "RMSNorm": _of(nnx.RMSNorm, 4, on=("time", 4)),
    "RNN": lambda: of_model(nnx.RNN(nnx.GRUCell(3, 4, rngs=RNGS)), ("time", 3)),
    "Sequential": _sequential,
    "SimpleCell": _cell(nnx.SimpleCell, False),
    "SpectralNorm": _spectral_norm,
    "WeightNorm": lambda: of_model(
        nnx.WeightNorm(nnx.Linear(4, 3, rngs=RNGS), rngs=RNGS), (4,)
    ),
}
