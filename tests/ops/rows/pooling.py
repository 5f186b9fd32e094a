"""Rows of the ops of `schema/ops/pooling.py`."""

from __future__ import annotations

from ops.row import (
    IMAGE,
    TORCH,
    Row,
    Rows,
    floats,
    unary,
)

ROWS: Rows = {
    "max_pool": [
        unary(TORCH, IMAGE, window=[3, 2], strides=2, padding=[[1, 1], [0, 1]]),
        Row({"window": [2, 2], "padding": "SAME"}, (IMAGE,), reference=None),
    ],
    "min_pool": unary(TORCH, IMAGE, window=[3, 2], padding="SAME", ceil_mode=True),
    "avg_pool": [
        floats(unary(TORCH, IMAGE, window=[3, 3], padding=[[1, 1], [1, 0]])),
        Row(
            {"window": [2, 2], "strides": [1, 2], "count_include_pad": True},
            (IMAGE,),
            reference=None,
            integers=False,
        ),
        Row(
            {"window": [3, 2], "strides": 2, "ceil_mode": True},
            (IMAGE,),
            reference=None,
            integers=False,
        ),
    ],
    "adaptive_avg_pool": floats(unary(TORCH, IMAGE, sizes=[2, 4])),
    "adaptive_max_pool": unary(TORCH, IMAGE, sizes=[2, 4]),
}
