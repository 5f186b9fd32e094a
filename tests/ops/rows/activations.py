"""Rows of the ops of `schema/ops/activations.py`."""

from __future__ import annotations

import numpy as np
from ops.row import (
    INTS,
    TORCH,
    Row,
    Rows,
    X,
    standardized,
    unary,
)

ROWS: Rows = {
    "relu": unary(TORCH),
    "relu6": unary(TORCH),
    "leaky_relu": unary(TORCH),
    "elu": unary(TORCH),
    "celu": unary(TORCH),
    "selu": unary(TORCH),
    "gelu": unary(TORCH),
    "silu": unary(TORCH),
    "mish": unary(TORCH),
    "softplus": unary(TORCH),
    "soft_sign": unary(TORCH),
    "sigmoid": unary(TORCH),
    "log_sigmoid": unary(TORCH),
    "hard_sigmoid": unary(TORCH),
    "hard_silu": unary(TORCH),
    "hard_tanh": unary(TORCH),
    "tanh": unary(TORCH),
    "glu": unary(TORCH),
    "softmax": [
        unary(TORCH),
        unary(lambda x: np.exp(x) / np.exp(x).sum(), axis=[-1, -2]),
    ],
    "log_softmax": unary(TORCH),
    "logsumexp": [
        unary(TORCH, axis=-1),
        Row(
            {"axis": None, "keepdims": False},
            (X,),
            reference=lambda x: np.log(np.exp(x).sum()),
            lead=False,
        ),
    ],
    "squareplus": unary(lambda x: (x + np.sqrt(x**2 + 4)) / 2),
    "standardize": unary(lambda x: standardized(x, 1e-5)),
    "one_hot": [
        unary(lambda x: np.eye(4)[x], INTS, num_classes=4),
        Row(
            {"num_classes": 4, "axis": 0, "dtype": "int32"},
            (INTS,),
            reference=lambda x: np.eye(4)[:, x],
            lead=False,
        ),
    ],
}
