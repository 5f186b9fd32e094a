"""Rows of the ops of `schema/ops/indexing.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.row import (
    INTS,
    Row,
    Rows,
    X,
    Y,
    unary,
)


def _updated(x: Any, update: Any, start: Any) -> Any:
    x = x.copy()
    x[1:2, 2:4] = update
    return x


ROWS: Rows = {
    "index": [
        unary(lambda x: x[1:, None, ::-2], at="..., 1:, None, ::-2"),
        Row({"at": "-1"}, (X,), reference=lambda x: x[-1], lead=False),
        unary(lambda x: x[None, :, 1:-1:2], at="..., None, :, 1:-1:2"),
    ],
    "take": [
        Row(
            {"axis": -1},
            (X, np.array([0, 9, -1, 2])),
            reference=lambda x, i: x[:, [0, 3, 0, 2]],
            lead=False,
        ),
        Row(
            {"axis": 0, "mode": "wrap"}, (X, 1), reference=lambda x, i: x[i], lead=False
        ),
    ],
    "take_along_axis": Row(
        {"axis": -1}, (X, INTS), reference=lambda x, i: np.take_along_axis(x, i, -1)
    ),
    "choose": [
        Row(
            {},
            (INTS - 1, [X, Y]),
            reference=lambda i, c: np.where(i < 1, c[0], c[1]),
        ),
        Row(
            {"mode": "wrap"},
            (INTS - 1, [X, Y]),
            reference=lambda i, c: np.where(i % 2, c[1], c[0]),
        ),
    ],
    "dynamic_slice": [
        Row(
            {"size": [2], "axis": [-1]},
            (X, [np.int32(3)]),
            reference=lambda x, start: x[:, 2:4],
            lead=False,
        ),
        Row(
            {"size": [2], "axis": [-1]},
            (X, [1]),
            reference=lambda x, i: x[:, 1:3],
            lead=(0,),
        ),
        Row(
            {"size": [2, 1], "axis": [-1, 0]},
            (X, [1, 0]),
            reference=lambda x, i: x[:1, 1:3],
            lead=False,
        ),
    ],
    "dynamic_update_slice": [
        Row(
            {"axis": [-1]},
            (X, Y[:, :2], [np.int32(1)]),
            reference=lambda x, update, start: np.c_[x[:, :1], update, x[:, 3:]],
            lead=False,
        ),
        Row({"axis": [0, 1]}, (X, Y[:1, :2], [1, 2]), reference=_updated, lead=False),
    ],
}
