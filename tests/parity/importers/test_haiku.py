"""Layers and models of Haiku as Graphs: the same values, gradients and ops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

import haiku as hk
import jax
import jax.numpy as jnp
import pytest
from importers.agreement import DIMS, Shapes, agree, drawn, noisy

import blox as bx

pytestmark = pytest.mark.parity
Row: TypeAlias = tuple[str, str, Callable[..., Any]]
"""An op, what is given, and the layer."""


def imported(function: Callable[..., Any], shapes: Shapes) -> Counter[str]:
    """Checks a function with modules; the ops of its Graph."""
    model = hk.transform_with_state(function)
    xs = drawn(shapes, DIMS[0])
    arrays = noisy(
        jax.eval_shape(lambda: model.init(jax.random.key(0), *xs, is_training=True))
    )
    inputs = {
        name: bx.Input(list(shape), "int32" if name.startswith("ids") else "float")
        for name, shape in shapes.items()
    }
    return agree(
        bx.from_jax(model, inputs, arrays, name="model", check=False),
        lambda given, *xs: model.apply(*given, None, *xs, is_training=False)[0],
        arrays,
        shapes,
    )


DENSE: dict[str, Row] = {
    "linear": ("linear", "row", lambda: hk.Linear(3)),
    "bare": ("linear", "image", lambda: hk.Linear(3, with_bias=False)),
    "embed": ("embed", "ids", lambda: hk.Embed(6, 4)),
}
CONVOLUTIONS: dict[str, Row] = {
    "same": ("conv", "image", lambda: hk.Conv2D(6, 3)),
    "strides": (
        "conv",
        "image",
        lambda: hk.Conv2D(6, (3, 2), (2, 1), padding="VALID", feature_group_count=2),
    ),
    "first": (
        "conv",
        "image",
        lambda: hk.Conv2D(6, 3, rate=2, padding=[(1, 0), (2, 1)], data_format="NCHW"),
    ),
    "causal": ("conv", "sequence", lambda: hk.Conv1D(6, 3, padding=hk.pad.causal)),
    "back": ("conv_transpose", "image", lambda: hk.Conv2DTranspose(6, (3, 4), (2, 1))),
    "back_first": (
        "conv_transpose",
        "image",
        lambda: hk.Conv2DTranspose(6, 3, 2, padding="VALID", data_format="NCHW"),
    ),
    "depth": ("conv", "image", lambda: hk.DepthwiseConv2D(2, 3)),
}
NORMS: dict[str, Row] = {
    "layer": ("layer_norm", "sequence", lambda: hk.LayerNorm(-1, True, True)),
    "bare": ("layer_norm", "image", lambda: hk.LayerNorm(-1, True, False, 1e-3)),
    "rms": ("rms_norm", "sequence", lambda: hk.RMSNorm(-1)),
    "group": ("group_norm", "image", lambda: hk.GroupNorm(2)),
    "instance": ("instance_norm", "image", lambda: hk.InstanceNorm(True, True)),
    "batch": ("var", "image", lambda: hk.BatchNorm(True, True, 0.9)),
    "batch_first": (
        "var",
        "image",
        lambda: hk.BatchNorm(True, True, 0.9, data_format="NCHW"),
    ),
}
FAMILIES = {"dense": DENSE, "convolutions": CONVOLUTIONS, "norms": NORMS}
SHAPES: Shapes = {
    "x": ["batch", "time", 4],
    "image": ["batch", 8, 8, 4],
    "ids": ["batch", "time"],
}


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_are_ops(family: str) -> None:
    rows = FAMILIES[family]

    def zoo(x: Any, image: Any, ids: Any, is_training: bool) -> dict[str, Any]:
        every = {"row": x[:, 0], "sequence": x, "image": image, "ids": ids}
        found = {}
        for name, (_, given, make) in rows.items():
            flags = (is_training,) if name.startswith("batch") else ()
            found[name] = make()(every[given], *flags)
        return found

    ops = imported(zoo, SHAPES)
    wanted = Counter(op for op, _, _ in rows.values())
    assert wanted <= ops, ops


def test_functions_without_a_key_are_called_without_one() -> None:
    model = hk.without_apply_rng(hk.transform(lambda x: hk.Linear(3)(x)))
    arrays = model.init(jax.random.key(0), jnp.ones((2, 4)))
    given = (model, {"x": bx.Input(["batch", 4])}, arrays)
    ops = agree(
        bx.from_jax(*given, name="model", check=False),
        model.apply,
        arrays,
        {"x": ["batch", 4]},
    )
    assert ops["linear"] == 1


def test_recurrent_cells_are_small_ops() -> None:
    """Gates of Haiku are none of those of the ops: z mixes the other way around, and 1 is
    added to the forget gate."""

    def cells(x: Any, h: Any, c: Any, is_training: bool) -> dict[str, Any]:
        lstm = hk.LSTM(3)(x, hk.LSTMState(h, c))
        rnn = hk.VanillaRNN(3)(x, h)[0]
        return {"gru": hk.GRU(3)(x, h)[0], "lstm": lstm[0], "rnn": rnn}

    shapes = {"x": ["batch", 4], "h": ["batch", 3], "c": ["batch", 3]}
    ops = imported(cells, shapes)
    assert ops["linear"] == 3
    assert not ops["gru_cell"] + ops["lstm_cell"]
