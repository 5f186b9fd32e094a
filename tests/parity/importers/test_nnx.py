"""Layers and models of Flax NNX as Graphs: the same values, gradients and ops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from importers.agreement import Shapes, agree, noisy

import blox as bx

pytestmark = pytest.mark.parity
R = nnx.Rngs
Row: TypeAlias = tuple[str, str, Callable[..., Any]]
"""An op, what is given, and the layer."""


def imported(
    made: Any, shapes: Shapes, function: Callable[..., Any] | None = None
) -> Counter[str]:
    """Checks a module; the ops of its Graph."""
    graphdef, keys, state = nnx.split(made, nnx.RngState, ...)
    inputs = {
        name: bx.Input(list(shape), "int32" if name.startswith("ids") else "float")
        for name, shape in shapes.items()
    }
    model = nnx.merge(graphdef, keys, state)
    run = function or (lambda m, *xs: m(*xs))
    given = (function, inputs, model) if function else (model, inputs)
    return agree(
        bx.from_jax(*given, name="model", check=False),
        lambda arrays, *xs: run(nnx.merge(graphdef, keys, arrays), *xs),
        state,
        shapes,
        lambda exported: nnx.split(exported, nnx.RngState, ...)[2],
    )


def drawn(make: Callable[[], Any]) -> Any:
    """A module in its form for evaluation, without running what draws its arrays."""
    blank = nnx.eval_shape(make)
    blank.eval()
    graphdef, keys, state = nnx.split(blank, nnx.RngState, ...)
    return nnx.merge(graphdef, jax.tree.map(key_or_count, keys), noisy(state))


def key_or_count(x: Any) -> Any:
    key = jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    return jax.random.key(0) if key else jnp.zeros(x.shape, x.dtype)


def lora() -> Any:
    base = nnx.Linear(4, 3, rngs=R(0))
    return nnx.LoRA(4, 2, 3, base_module=base, rngs=R(1))


def general(*args: Any, **kwargs: Any) -> Any:
    return nnx.LinearGeneral(*args, **kwargs, rngs=R(0))


def conv(*args: Any, **kwargs: Any) -> Any:
    return nnx.Conv(4, 6, *args, **kwargs, rngs=R(0))


def back(*args: Any, **kwargs: Any) -> Any:
    return nnx.ConvTranspose(4, 6, *args, **kwargs, rngs=R(0))


def attention(**kwargs: Any) -> Any:
    return nnx.MultiHeadAttention(in_features=4, decode=False, rngs=R(0), **kwargs)


def norm(axes: tuple[int, ...]) -> Any:
    return nnx.LayerNorm(4, reduction_axes=axes, rngs=R(0))


def spectral() -> Any:
    return nnx.SpectralNorm(nnx.Linear(4, 3, rngs=R(0)), rngs=R(1))


DENSE: dict[str, Row] = {
    "linear": ("linear", "row", lambda: nnx.Linear(4, 3, rngs=R(0))),
    "bare": ("linear", "image", lambda: nnx.Linear(4, 3, use_bias=False, rngs=R(0))),
    "flat": ("linear", "sequence", lambda: general(4, 3)),
    "general": ("einsum_linear", "sequence", lambda: general(4, (2, 3))),
    "two_axes": ("einsum_linear", "image", lambda: general((8, 4), 3, axis=(-2, -1))),
    "inner": ("einsum_linear", "image", lambda: general((8, 4), (3, 2), axis=(1, -1))),
    "einsum": (
        "einsum_linear",
        "sequence",
        lambda: nnx.Einsum("nta,hab->nthb", (8, 4, 3), (8, 3), rngs=R(0)),
    ),
    "embed": ("embed", "ids", lambda: nnx.Embed(6, 4, rngs=R(0))),
    "lora": ("lora", "row", lora),
    "lora_linear": (
        "lora",
        "row",
        lambda: nnx.LoRALinear(4, 3, lora_rank=2, rngs=R(0)),
    ),
    "prelu": ("prelu", "row", nnx.PReLU),
    "dropout": ("dropout", "row", lambda: nnx.Dropout(0.3, rngs=R(0))),
}
CONVOLUTIONS: dict[str, Row] = {
    "same": ("conv", "image", lambda: conv((3, 3))),
    "strides": (
        "conv",
        "image",
        lambda: conv((3, 2), (2, 1), padding=[(1, 0), 2], feature_group_count=2),
    ),
    "circular": ("conv", "image", lambda: conv((3, 4), padding="CIRCULAR")),
    "mirrored": (
        "conv",
        "image",
        lambda: conv((3, 3), padding="REFLECT", kernel_dilation=2),
    ),
    "causal": ("conv", "sequence", lambda: conv(3, padding="CAUSAL", use_bias=False)),
    "back": ("conv_transpose", "image", lambda: back((3, 4), (2, 2))),
    "back_valid": (
        "conv_transpose",
        "image",
        lambda: back((2, 3), (3, 2), padding="VALID", transpose_kernel=True),
    ),
    "back_padded": (
        "conv_transpose",
        "image",
        lambda: back((3, 3), (2, 1), padding=[(1, 3), 2], kernel_dilation=(1, 2)),
    ),
}
NORMS: dict[str, Row] = {
    "layer": ("layer_norm", "sequence", lambda: nnx.LayerNorm(4, rngs=R(0))),
    "bare": (
        "layer_norm",
        "image",
        lambda: nnx.LayerNorm(4, use_scale=False, epsilon=1e-3, rngs=R(0)),
    ),
    "rms": ("rms_norm", "sequence", lambda: nnx.RMSNorm(4, rngs=R(0))),
    "group": ("group_norm", "image", lambda: nnx.GroupNorm(4, num_groups=2, rngs=R(0))),
    "instance": (
        "instance_norm",
        "image",
        lambda: nnx.InstanceNorm(4, use_bias=False, rngs=R(0)),
    ),
    "batch": ("batch_norm", "image", lambda: nnx.BatchNorm(4, momentum=0.8, rngs=R(0))),
}
ATTENTION: dict[str, Row] = {
    "plain": (
        "dot_product_attention",
        "sequence",
        lambda: attention(num_heads=2, qkv_features=6),
    ),
    "grouped": (
        "dot_product_attention",
        "sequence",
        lambda: attention(
            num_heads=4, qkv_features=32, num_kv_heads=2, normalize_qk=True
        ),
    ),
    "dropped": (
        "dropout",
        "sequence",
        lambda: attention(num_heads=2, dropout_rate=0.2),
    ),
}
OTHERS: dict[str, Row] = {
    "precise": ("linear", "row", lambda: nnx.Linear(4, 3, precision="high", rngs=R(0))),
    "biased": (
        "einsum_linear",
        "sequence",
        lambda: nnx.Einsum("nta,hab->hntb", (8, 4, 3), (8, 3), rngs=R(0)),
    ),
    "dilated": ("conv", "image", lambda: conv((3, 3), input_dilation=2, padding=1)),
    "masked": ("conv", "image", lambda: conv((1, 1), mask=np.eye(4, 6)[None, None])),
    "across": ("layer_norm", "image", lambda: norm(axes=(1, 2))),
    "middle": ("batch_norm", "image", lambda: nnx.BatchNorm(8, axis=1, rngs=R(0))),
    "spectral": ("spectral_norm", "row", spectral),
}
"""Settings that the op, which is named, doesn't have; the product and the convolution
itself may be ops again."""
FAMILIES = {
    "dense": DENSE,
    "convolutions": CONVOLUTIONS,
    "norms": NORMS,
    "attention": ATTENTION,
}
SHAPES: Shapes = {
    "x": ["batch", "time", 4],
    "image": ["batch", 8, 8, 4],
    "ids": ["batch", "time"],
}


class Zoo(nnx.Module):  # type: ignore[misc]
    """Layers side by side, each with its input and output."""

    def __init__(self, rows: dict[str, Row]) -> None:
        self.layers = nnx.Dict({name: make() for name, (_, _, make) in rows.items()})
        self.given = {name: given for name, (_, given, _) in rows.items()}

    def __call__(self, x: Any, image: Any, ids: Any) -> dict[str, Any]:
        every = {"row": x[:, 0], "sequence": x, "image": image, "ids": ids}
        return {name: m(every[self.given[name]]) for name, m in self.layers.items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_are_ops(family: str) -> None:
    rows = FAMILIES[family]
    found = imported(drawn(lambda: Zoo(rows)), SHAPES)
    wanted = Counter(op for op, _, _ in rows.values())
    assert wanted <= found, found


def test_what_no_op_says_is_small_ops() -> None:
    found = imported(drawn(lambda: Zoo(OTHERS)), SHAPES)
    wanted = {op for op, _, _ in OTHERS.values()} - {"linear", "conv"}
    assert not wanted & set(found), found


class Cells(nnx.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        self.lstm = nnx.LSTMCell(4, 3, rngs=R(0))
        self.optimized = nnx.OptimizedLSTMCell(4, 3, rngs=R(1))
        self.gru = nnx.GRUCell(4, 3, rngs=R(2))
        self.simple = nnx.SimpleCell(4, 3, rngs=R(3))

    def __call__(self, x: Any, h: Any, c: Any) -> dict[str, Any]:
        return {
            "lstm": self.lstm((c, h), x)[0][0],
            "optimized": self.optimized((c, h), x)[1],
            "gru": self.gru(h, x)[1],
            "simple": self.simple(h, x)[0],
        }


def test_cells_are_ops() -> None:
    shapes = {"x": ["batch", 4], "h": ["batch", 3], "c": ["batch", 3]}
    found = imported(drawn(Cells), shapes)
    assert (found["lstm_cell"], found["gru_cell"], found["rnn_cell"]) == (2, 1, 1)


def test_a_normed_kernel_is_an_op() -> None:
    model = nnx.WeightNorm(nnx.Linear(4, 3, rngs=R(0)), rngs=R(1))
    found = imported(model, {"x": ["batch", 4]})
    assert found == {"param": 1, "weight_norm": 1, "linear": 1}
