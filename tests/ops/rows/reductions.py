"""Rows of the ops of `schema/ops/reductions.py`."""

from __future__ import annotations

import numpy as np
from ops.row import BOOLS, Row, Rows, X, reduction, unary

ROWS: Rows = {
    "sum": [
        reduction(np.sum),
        Row({"axis": None, "keepdims": False}, (X,), reference=np.sum, lead=False),
        Row({"axis": [0, 1], "keepdims": False}, (X,), reference=np.sum, lead=False),
    ],
    "mean": reduction(np.mean),
    "prod": reduction(np.prod),
    "max": reduction(np.max),
    "min": reduction(np.min),
    "any": reduction(np.any, BOOLS),
    "all": reduction(np.all, BOOLS),
    "var": reduction(np.var, ddof=1),
    "std": reduction(np.std, ddof=1),
    "norm": [
        reduction(np.linalg.norm, ord=2),
        reduction(np.linalg.norm, ord=1, keepdims=False),
    ],
    "argmax": reduction(np.argmax),
    "argmin": reduction(np.argmin),
    "cumsum": unary(lambda x: np.cumsum(x, -1), axis=-1),
    "cumprod": unary(lambda x: np.cumprod(x, -1), axis=-1),
    "cummax": unary(lambda x: np.maximum.accumulate(x, -1), axis=-1),
    "cummin": unary(lambda x: np.minimum.accumulate(x, -2), axis=-2),
    "cumlogsumexp": unary(lambda x: np.logaddexp.accumulate(x, -1), axis=-1),
}
