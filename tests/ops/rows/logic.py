"""Rows of the ops of `schema/ops/logic.py`."""

from __future__ import annotations

import numpy as np
from ops.row import BOOLS, INTS, Row, Rows, X, Y, binary, unary

ROWS: Rows = {
    "logical_not": unary(np.logical_not, BOOLS),
    "isfinite": unary(np.isfinite, np.array([1, np.inf, np.nan], np.float32)),
    "isinf": unary(np.isinf, np.array([1, np.inf, np.nan], np.float32)),
    "isnan": unary(np.isnan, np.array([1, np.inf, np.nan], np.float32)),
    "equal": binary(np.equal, INTS, INTS[::-1]),
    "not_equal": binary(np.not_equal, INTS, INTS[::-1]),
    "less": binary(np.less),
    "less_equal": binary(np.less_equal, INTS, INTS[::-1]),
    "greater": binary(np.greater),
    "greater_equal": binary(np.greater_equal, INTS, INTS[::-1]),
    "logical_and": binary(np.logical_and, BOOLS, BOOLS[::-1]),
    "logical_or": binary(np.logical_or, BOOLS, BOOLS[::-1]),
    "where": [
        Row({}, (BOOLS, X, Y), reference=np.where),
        Row({}, (INTS > 1, 0.5, X), reference=np.where, lead=(0, 2)),
    ],
    "default": binary(lambda x, default: x),
    "logical_xor": binary(np.logical_xor, BOOLS, BOOLS[::-1]),
    "isposinf": unary(np.isposinf, np.array([1, np.inf, -np.inf], np.float32)),
    "isneginf": unary(np.isneginf, np.array([1, np.inf, -np.inf], np.float32)),
    "signbit": unary(np.signbit, np.array([1, -0.0, -2], np.float32)),
    "isclose": [
        binary(np.isclose, b=X + np.array([0, 1e-6, 1e-3, 1], np.float32)),
        Row(
            {"rtol": 0.0, "atol": 0.5, "equal_nan": True},
            (
                np.array([np.nan, 1, 2], np.float32),
                np.array([np.nan, 1, 3], np.float32),
            ),
            reference=lambda a, b: [True, True, False],
        ),
    ],
    "isin": Row({}, (INTS, np.array([0, 3, 7])), reference=np.isin, lead=(0,)),
}
