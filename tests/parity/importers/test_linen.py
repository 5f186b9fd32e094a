"""Layers and models of Flax Linen as Graphs: the same values, gradients and ops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

import flax.linen as nn
import jax
import pytest
from importers.agreement import DIMS, Shapes, agree, drawn, noisy

import blox as bx

pytestmark = pytest.mark.parity
Row: TypeAlias = tuple[str, str, Callable[..., Any]]
"""An op, what is given, and the layer."""


def imported(model: Any, shapes: Shapes, **flags: Any) -> Counter[str]:
    """Checks a module; the ops of its Graph."""
    xs = drawn(shapes, DIMS[0])
    blank = jax.eval_shape(lambda: model.init(jax.random.key(0), *xs, **flags))
    variables = noisy(blank)
    inputs = {
        name: bx.Input(list(shape), "int32" if name.startswith("ids") else "float")
        for name, shape in shapes.items()
    }
    return agree(
        bx.from_jax(model, inputs, variables, name="model", check=False),
        lambda arrays, *xs: model.apply(arrays, *xs, **flags),
        variables,
        shapes,
    )


DENSE: dict[str, Row] = {
    "linear": ("linear", "row", lambda: nn.Dense(3)),
    "bare": ("linear", "image", lambda: nn.Dense(3, use_bias=False)),
    "flat": ("linear", "sequence", lambda: nn.DenseGeneral(3)),
    "general": ("einsum_linear", "sequence", lambda: nn.DenseGeneral((2, 3))),
    "two_axes": ("einsum_linear", "image", lambda: nn.DenseGeneral(3, axis=(-2, -1))),
    "inner": ("einsum_linear", "image", lambda: nn.DenseGeneral((3, 2), axis=(1, -1))),
    "einsum": (
        "einsum_linear",
        "sequence",
        lambda: nn.Einsum((8, 4, 3), "nta,hab->nthb"),
    ),
    "embed": ("embed", "ids", lambda: nn.Embed(6, 4)),
    "prelu": ("prelu", "row", nn.PReLU),
    "dropout": ("dropout", "row", lambda: nn.Dropout(0.3, deterministic=True)),
}
CONVOLUTIONS: dict[str, Row] = {
    "same": ("conv", "image", lambda: nn.Conv(6, (3, 3))),
    "strides": (
        "conv",
        "image",
        lambda: nn.Conv(6, (3, 2), (2, 1), padding=[(1, 0), 2], feature_group_count=2),
    ),
    "circular": ("conv", "image", lambda: nn.Conv(6, (3, 4), padding="CIRCULAR")),
    "mirrored": (
        "conv",
        "image",
        lambda: nn.Conv(6, (3, 3), padding="REFLECT", kernel_dilation=2),
    ),
    "causal": ("conv", "sequence", lambda: nn.Conv(6, 3, padding="CAUSAL")),
    "back": ("conv_transpose", "image", lambda: nn.ConvTranspose(6, (3, 4), (2, 2))),
    "back_valid": (
        "conv_transpose",
        "image",
        lambda: nn.ConvTranspose(
            6, (2, 3), (3, 2), padding="VALID", transpose_kernel=True
        ),
    ),
}
NORMS: dict[str, Row] = {
    "layer": ("layer_norm", "sequence", nn.LayerNorm),
    "bare": ("layer_norm", "image", lambda: nn.LayerNorm(use_scale=False)),
    "two_axes": (
        "layer_norm",
        "image",
        lambda: nn.LayerNorm(reduction_axes=(-2, -1), feature_axes=(-2, -1)),
    ),
    "rms": ("rms_norm", "sequence", nn.RMSNorm),
    "group": ("group_norm", "image", lambda: nn.GroupNorm(num_groups=2)),
    "instance": ("instance_norm", "image", lambda: nn.InstanceNorm(use_bias=False)),
    "batch": ("batch_norm", "image", lambda: nn.BatchNorm(use_running_average=True)),
}
ATTENTION: dict[str, Row] = {
    "plain": (
        "dot_product_attention",
        "sequence",
        lambda: nn.MultiHeadDotProductAttention(2, qkv_features=6),
    ),
    "normed": (
        "dot_product_attention",
        "sequence",
        lambda: nn.MultiHeadAttention(2, qkv_features=8, normalize_qk=True),
    ),
    "dropped": (
        "dropout",
        "sequence",
        lambda: nn.MultiHeadAttention(2, dropout_rate=0.2, deterministic=True),
    ),
}
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


class Zoo(nn.Module):  # type: ignore[misc]
    """Layers side by side, each with its input and output."""

    family: str

    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, x: Any, image: Any, ids: Any) -> dict[str, Any]:
        every = {"row": x[:, 0], "sequence": x, "image": image, "ids": ids}
        rows = FAMILIES[self.family].items()
        return {name: make()(every[given]) for name, (_, given, make) in rows}


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_are_ops(family: str) -> None:
    found = imported(Zoo(family), SHAPES)
    wanted = Counter(op for op, _, _ in FAMILIES[family].values())
    assert wanted <= found, found


class Cells(nn.Module):  # type: ignore[misc]
    def setup(self) -> None:
        self.lstm = nn.LSTMCell(3)
        self.optimized = nn.OptimizedLSTMCell(3)
        self.gru = nn.GRUCell(3)
        self.simple = nn.SimpleCell(3)

    def __call__(self, x: Any, h: Any, c: Any) -> dict[str, Any]:
        return {
            "lstm": self.lstm((c, h), x)[0][0],
            "optimized": self.optimized((c, h), x)[1],
            "gru": self.gru(h, x)[1],
            "simple": self.simple(h, x)[0],
        }


def test_cells_are_ops() -> None:
    shapes = {"x": ["batch", 4], "h": ["batch", 3], "c": ["batch", 3]}
    found = imported(Cells(), shapes)
    assert (found["lstm_cell"], found["gru_cell"], found["rnn_cell"]) == (2, 1, 1)


class Normed(nn.Module):  # type: ignore[misc]
    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, x: Any) -> Any:
        x = nn.WeightNorm(nn.Dense(4))(x)
        return nn.SpectralNorm(nn.Dense(3))(x, update_stats=False)


def test_norms_of_weights_are_small_ops() -> None:
    """Their variables have paths for names."""
    found = imported(Normed(), {"x": ["batch", 4]})
    assert found["linear"] + found["matmul"] >= 2, found


def test_a_flag_that_a_layer_was_made_with_is_not_given_again() -> None:
    layer = nn.BatchNorm(use_running_average=True)
    made = layer.init(jax.random.key(0), jax.numpy.zeros((2, 4)))
    graph, _, _ = bx.from_jax(layer, {"x": bx.Input(["batch", 4])}, made, check=False)
    assert [n.op for n in graph.functions["main"].nodes.values()] == ["batch_norm"]


def test_the_report_names_the_layers() -> None:
    """Those that an import takes apart where their numbers differ."""
    model, x = nn.Dense(3), jax.numpy.ones((2, 4))
    _, _, origin = bx.from_jax(
        model, {"x": bx.Input(["batch", 4])}, model.init(jax.random.key(0), x)
    )
    assert origin.report.layers == ["Dense"]
