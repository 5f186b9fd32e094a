"""Rows of the ops of `schema/ops/quantization.py`."""

from __future__ import annotations

import numpy as np
from ops.row import Row, Rows, numbers

_normal = numbers(31)
_values = np.array([[-127, 3, 0, 127], [5, -64, 1, 90]], np.int8)

ROWS: Rows = {
    "dequantize": [
        Row(
            {"shape": [2, 4], "scale_shape": [1, 4]},
            (),
            {"values": _values, "scale": _normal(1, 4)},
            lambda values, scale: values * scale,
        ),
        Row(
            {"shape": [2, 4], "scale_shape": [2, 1]},
            (),
            {"values": _values, "scale": _normal(2, 1)},
            lambda values, scale: values * scale,
        ),
        Row(
            {"shape": [2, 4], "scale_shape": [1, 1]},
            (),
            {"values": _values, "scale": _normal(1, 1)},
            lambda values, scale: values * scale,
        ),
    ]
}
