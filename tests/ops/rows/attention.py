"""Rows of the ops of `schema/ops/attention.py`."""

from __future__ import annotations

import numpy as np
from ops.row import (
    INTS,
    Row,
    Rows,
    numbers,
    unary,
)

normal = numbers(3)

ROWS: Rows = {
    "attention_mask": [
        Row(
            {"causal": True, "window": 2},
            (np.arange(2, 5), np.arange(5), np.array([1, 1, 1, 0, 1])),
            reference=lambda q, k, p: [
                [[j <= i and i - j < 2 and bool(p[j]) for j in k] for i in q]
            ],
        ),
        Row(
            {"causal": False, "window": None},
            (np.arange(3), np.arange(3)),
            reference=lambda q, k: np.ones((1, 3, 3)),
        ),
        Row(
            {"causal": True, "window": None},
            (np.arange(3), np.arange(3), None, np.arange(3), np.arange(3)),
            reference=lambda q, k, p, a, b: np.eye(3)[None],
        ),
    ],
    "padding_mask": unary(lambda p: (p != 0)[:, None, None], INTS),
    "dot_product_attention": Row(
        {"heads_per_kv": 2},
        (normal(3, 4, 6), normal(5, 2, 6), normal(5, 2, 7), normal(4, 3, 5) > -0.5),
    ),
}
