"""Rows of the ops of `schema/ops/sorting.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.row import BOOLS, INTS, Row, Rows, X, heavy, rare, unary


def _distinct(x: Any, size: int, fill: float | None = None) -> Any:
    """By sets, row by row."""
    rows = [sorted(set(row)) for row in x]
    values = [
        (r + [r[0] if fill is None else fill] * size)[:size] for r in map(list, rows)
    ]
    inverse = [[r.index(y) for y in row] for r, row in zip(rows, x, strict=True)]
    counts = [
        ([list(row).count(y) for y in r] + [0] * size)[:size]
        for r, row in zip(rows, x, strict=True)
    ]
    return np.array(values), np.array(inverse), np.array(counts)


def _greatest(x: Any, k: int) -> Any:
    order = np.argsort(-x, -1, kind="stable")[:, :k]
    return np.take_along_axis(x, order, -1), order


ROWS: Rows = {
    "partition": [
        unary(lambda x: np.sort(x, -1), X[:, :3], kth=1),
        unary(lambda x: np.sort(x, -2), kth=-2, axis=-2),
    ],
    "argpartition": [
        unary(lambda x: np.argsort(x, -1), X[:, :3], kth=1),
        unary(lambda x: np.argsort(x, -2), kth=-2, axis=-2),
    ],
    "lexsort": [
        Row({}, ([X, INTS],), reference=lambda xs: np.lexsort(xs)),
        Row({"axis": -2}, ([INTS, INTS],), reference=lambda xs: np.lexsort(xs, -2)),
    ],
    "sort": [
        unary(lambda x: np.sort(x, -1)),
        unary(lambda x: -np.sort(-x, -2), axis=-2, descending=True),
    ],
    "argsort": [
        unary(lambda x: np.argsort(x, -1, kind="stable"), INTS),
        unary(lambda x: np.argsort(-x, -1, kind="stable"), INTS, descending=True),
        unary(lambda x: np.argsort(x, -2), axis=-2, stable=False),
    ],
    "top_k": [
        unary(lambda x: _greatest(x, 2), k=2),
        unary(lambda x: _greatest(x, 3), INTS, k=3),
        unary(lambda x: tuple(y.T for y in _greatest(x.T, 2)), k=2, axis=-2),
    ],
    "unique": [
        heavy(unary(lambda x: _distinct(x, 3), INTS, size=3)),
        rare(unary(lambda x: _distinct(x, 6, -2.0), X, size=6, fill_value=-2.0)),
    ],
    "nonzero": [
        unary(
            lambda x: np.array([[0, 3, 9], [2, 3, 9], [1, 2, 9]]),
            BOOLS,
            size=3,
            fill_value=9,
        ),
        unary(lambda x: np.arange(2) * np.ones((3, 1)), size=2),
    ],
}
