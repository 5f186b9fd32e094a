"""Rows of the ops of `schema/ops/activations.py`."""

from __future__ import annotations

import numpy as np
from ops.row import INTS, POSITIVE, TORCH, Row, Rows, X, Z, standardized, unary

ROWS: Rows = {
    "identity": [unary(lambda x: x), unary(lambda x: x, Z)],
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
    "sparse_plus": unary(
        lambda x: np.where(x >= 1, x, np.where(x <= -1, 0, (x + 1) ** 2 / 4))
    ),
    "sparse_sigmoid": unary(lambda x: np.clip((x + 1) / 2, 0, 1)),
    "log1mexp": unary(lambda x: np.log(-np.expm1(-x)), POSITIVE),
    "logmeanexp": [
        unary(lambda x: np.log(np.exp(x).mean(-1)), axis=-1),
        Row(
            {"axis": None, "keepdims": True},
            (X,),
            reference=lambda x: np.log(np.exp(x).mean(keepdims=True)),
            lead=False,
        ),
    ],
}
