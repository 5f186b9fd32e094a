"""Rows of the ops of `schema/ops/creation.py`."""

from __future__ import annotations

import numpy as np
from ops.row import Row, Rows, floats, unary

ROWS: Rows = {
    "zeros": [
        Row({"shape": [2, 3], "dtype": "float"}, reference=lambda: np.zeros((2, 3))),
        Row({"shape": [], "dtype": "bool"}, reference=lambda: False),
    ],
    "ones": Row({"shape": [2, 3], "dtype": "float"}, reference=lambda: np.ones((2, 3))),
    "full": Row(
        {"shape": [2], "fill_value": 7, "dtype": "int32"}, reference=lambda: [7, 7]
    ),
    "zeros_like": unary(lambda x: 0 * x),
    "ones_like": unary(lambda x: 0 * x + 1),
    "full_like": floats(unary(lambda x: 0 * x + 2.5, fill_value=2.5)),
    "arange": [
        Row({"stop": 9, "start": 2, "step": 3}, reference=lambda: np.arange(2, 9, 3)),
        Row({"stop": 4}, reference=lambda: np.arange(4)),
        Row({"stop": 4, "dtype": "float"}, reference=lambda: np.arange(4.0)),
    ],
    "eye": [
        Row({"rows": 3}, reference=lambda: np.eye(3)),
        Row({"rows": 3, "columns": 2}, reference=lambda: np.eye(3, 2)),
        Row(
            {"rows": 3, "columns": 4, "k": -1, "dtype": "int32"},
            reference=lambda: np.eye(3, 4, -1),
        ),
    ],
    "tri": [
        Row({"rows": 3}, reference=lambda: np.tri(3)),
        Row(
            {"rows": 2, "columns": 4, "k": 1, "dtype": "int32"},
            reference=lambda: np.tri(2, 4, 1),
        ),
    ],
    "linspace": [
        Row(
            {"start": -1.0, "stop": 2.0, "num": 5},
            reference=lambda: np.linspace(-1, 2, 5),
        ),
        Row(
            {
                "start": 0.0,
                "stop": 3.0,
                "num": 4,
                "endpoint": False,
                "dtype": "float32",
            },
            reference=lambda: np.linspace(0, 3, 4, endpoint=False),
        ),
    ],
    "logspace": Row(
        {"start": -1.0, "stop": 2.0, "num": 5, "base": 2.0},
        reference=lambda: np.logspace(-1, 2, 5, base=2),
    ),
    "geomspace": Row(
        {"start": 1.0, "stop": 16.0, "num": 4, "endpoint": False},
        reference=lambda: np.geomspace(1, 16, 4, endpoint=False),
    ),
}
