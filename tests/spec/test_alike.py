"""Ops by the names that they have in other libraries."""

from __future__ import annotations

import pytest

from blox.schema import op_class, op_names
from blox.schema.alike import ops_like


@pytest.mark.parametrize(
    ("name", "ops"),
    [
        ("Linear", ["linear"]),  # torch, Equinox, Flax NNX
        ("Dense", ["linear"]),  # Keras, Flax
        ("Embedding", ["embed"]),
        ("Conv1d", ["conv"]),
        ("Conv2D", ["conv"]),
        ("MaxPooling2D", ["max_pool"]),
        ("AvgPool2d", ["avg_pool"]),
        ("LayerNormalization", ["layer_norm"]),
        ("scaled_dot_product_attention", ["dot_product_attention"]),
        ("permute", ["transpose"]),
        ("unsqueeze", ["expand_dims"]),
        ("cat", ["concatenate"]),
        ("clamp", ["clip"]),
        ("gelu_new", ["gelu"]),
        ("gather_elements", ["take_along_axis"]),
        ("index_put", ["scatter"]),
        ("sofmax", ["softmax"]),
        ("conv_transpose", ["conv_transpose"]),
        ("pooler", []),
        ("lstm", ["lstm_cell"]),
        ("", []),
        ("x" * 10_000, []),
    ],
)
def test_what_a_name_may_mean(name: str, ops: list[str]) -> None:
    assert ops_like(name) == ops


def test_every_other_name_leads_to_its_op() -> None:
    for op in op_names():
        for name in vars(op_class(op)).get("ALSO", ()):
            assert op in ops_like(name), name
