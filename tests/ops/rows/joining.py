"""Rows of the ops of `schema/ops/joining.py`."""

from __future__ import annotations

import numpy as np
from ops.row import Row, Rows, X, Y, unary

ROWS: Rows = {
    "concatenate": Row(
        {"axis": -1}, ((X, Y[:, 1:]),), reference=lambda xs: np.concatenate(xs, -1)
    ),
    "stack": Row({"axis": -1}, ((X, Y),), reference=lambda xs: np.stack(xs, -1)),
    "split": [
        unary(
            lambda x: (x[:, :1], x[:, 1:]), names=["a", "b"], sections=[1, 3], axis=-1
        ),
        unary(lambda x: (x[:, :2], x[:, 2:]), names=["a", "b"], axis=-1),
        unary(lambda x: (x,), names=["only"], axis=-1),
    ],
}
