"""Rows of the ops of `schema/ops/grids.py`."""

from __future__ import annotations

import numpy as np
from ops.row import INTS, Row, Rows, X, Y

NUMBERS = np.array([0, 5, 11, -1, 30], np.int32)

ROWS: Rows = {
    "indices": [
        Row({"dimensions": [2, 3]}, reference=lambda: np.indices((2, 3))),
        Row({"dimensions": [4], "dtype": "float"}, reference=lambda: np.indices((4,))),
    ],
    "meshgrid": [
        Row(
            {"names": ["u", "v"], "indexing": "ij"},
            ([X[0], Y[0, :3]],),
            reference=lambda xs: np.meshgrid(*xs, indexing="ij"),
        ),
        Row(
            {"names": ["u", "v", "w"], "indexing": "xy"},
            ([X[0], Y[0, :3], X[1, :2]],),
            reference=lambda xs: np.meshgrid(*xs, indexing="xy"),
        ),
    ],
    "unravel_index": Row(
        {"names": ["row", "column"], "shape": [3, 4]},
        (NUMBERS,),
        reference=lambda at: np.unravel_index([0, 5, 11, 11, 11], (3, 4)),
    ),
    "ravel_multi_index": [
        Row(
            {"dimensions": [4, 5]},
            ([INTS, INTS + 2],),
            reference=lambda xs: np.ravel_multi_index(
                (INTS, INTS + 2), (4, 5), mode="clip"
            ),
        ),
        Row(
            {"dimensions": [3, 2], "mode": "wrap"},
            ([INTS, INTS + 2],),
            reference=lambda xs: np.ravel_multi_index(
                (INTS, INTS + 2), (3, 2), mode="wrap"
            ),
        ),
    ],
}
