"""Rows of the ops of `schema/ops/variables.py`."""

from __future__ import annotations

from ops.row import (
    Row,
    Rows,
    numbers,
)

normal = numbers(16)

ROWS: Rows = {
    "param": Row({"shape": [3]}, (), {"": normal(3)}, lambda value: value),
    "buffer": Row({"shape": [3]}, (), {"": normal(3)}, lambda value: value),
    "constant": [
        Row(
            {"value": [[1, 2], [3, 4]], "dtype": "int32"},
            reference=lambda: [[1, 2], [3, 4]],
        ),
        Row({"value": 1.5, "dtype": "float"}, reference=lambda: 1.5),
        Row({"value": [True, False], "dtype": "bool"}, reference=lambda: [True, False]),
    ],
}
