"""Rows of the ops of `schema/ops/conv.py`."""

from __future__ import annotations

from ops.row import (
    IMAGE,
    Row,
    Rows,
    numbers,
)

normal = numbers(4)

ROWS: Rows = {
    "conv": [
        Row(
            {"in_features": 4, "out_features": 6, "kernel_size": [3, 3], "strides": 2},
            (IMAGE,),
            {"kernel": normal(3, 3, 4, 6), "bias": normal(6)},
        ),
        *(
            Row(
                {"in_features": 4, "out_features": 4, "kernel_size": [3, 3], **more},
                (IMAGE,),
                reference=None,
            )
            for more in (
                {"padding": "CAUSAL", "use_bias": False, "groups": 2},
                {"padding": "SAME", "padding_mode": "circular", "strides": [2, 1]},
                {"padding": [[1, 0], [0, 2]], "padding_mode": "reflect", "dilation": 2},
                {"padding": "VALID", "dilation": [1, 2]},
            )
        ),
    ],
}
