"""Rows of the ops of `schema/ops/variables.py`."""

from __future__ import annotations

import numpy as np
from ops.row import (
    Row,
    Rows,
    numbers,
)

normal = numbers(16)

ROWS: Rows = {
    "param": Row({"shape": [3]}, (), {"": normal(3)}, lambda value: value),
    "buffer": Row({"shape": [3]}, (), {"": normal(3)}, lambda value: value),
    "state": Row({"shape": [3]}, (), {"": normal(3)}, lambda value: value),
    "assign": [
        Row({}, (normal(3), normal(3)), reference=lambda to, x: x, lead=False),
        Row(
            {"training": True},
            (normal(2, 3), normal(2, 3).astype(np.float16)),
            reference=lambda to, x: x,
            lead=False,
            grad=False,
        ),
        Row({}, (normal(), 2), reference=lambda to, x: x, lead=False),
    ],
    "constant": [
        Row(
            {"value": [[1, 2], [3, 4]], "dtype": "int32"},
            reference=lambda: [[1, 2], [3, 4]],
        ),
        Row({"value": 1.5, "dtype": "float"}, reference=lambda: 1.5),
        Row({"value": [True, False], "dtype": "bool"}, reference=lambda: [True, False]),
    ],
}
