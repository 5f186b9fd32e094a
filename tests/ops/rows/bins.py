"""Rows of the ops of `schema/ops/bins.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.row import INTS, POSITIVE, Row, Rows, X, Y

EDGES = np.array([-1, -0.5, 0, 0.5], np.float32)
COUNTED = np.array([0, 2, 2, 7, -1, 1], np.int32)


def _binned(x: Any, w: Any = None) -> Any:
    return np.histogram(x, 4, (-1, 1), weights=w)[0]


def _extrapolated(x: Any, xp: Any, fp: Any) -> Any:
    at = np.clip(np.searchsorted(xp, x), 1, len(xp) - 1)
    slopes = np.diff(fp) / np.diff(xp)
    return fp[at] + slopes[at - 1] * (x - xp[at])


ROWS: Rows = {
    "histogram2d": [
        Row(
            {"bins": [3, 2], "low": [-1.0, -2.0], "high": [1.5, 2.0]},
            (X[0], Y[0]),
            reference=lambda x, y: np.histogram2d(x, y, [3, 2], [[-1, 1.5], [-2, 2]])[
                0
            ],
            grad=False,
            heavy=True,
        ),
        Row(
            {"bins": [2, 2], "low": [-2.0, -2.0], "high": [2.0, 2.0], "density": True},
            (X[0], Y[0], POSITIVE[0]),
            reference=lambda x, y, w: np.histogram2d(
                x, y, [2, 2], [[-2, 2], [-2, 2]], weights=w, density=True
            )[0],
            grad=False,
            rare=True,
        ),
    ],
    "searchsorted": [
        Row({}, (np.sort(X[0]), Y[0]), reference=np.searchsorted, lead=(1,)),
        Row({}, (np.sort(X[0])[:3], Y[0]), reference=np.searchsorted),
        Row(
            {"side": "right"},
            (np.array([0, 1, 1, 3]), INTS),
            reference=lambda a, v: np.searchsorted(a, v, "right"),
            lead=(1,),
        ),
    ],
    "interp": [
        Row({}, (2 * X[0], EDGES, Y[0]), reference=np.interp, lead=(0,), heavy=True),
        Row({}, (2 * X[0], EDGES, Y[0]), reference=np.interp, lead=(0, 2)),
        Row(
            {"extrapolate": True},
            (2 * X[1], EDGES, Y[0]),
            reference=_extrapolated,
            lead=(0,),
        ),
    ],
    "bincount": [
        Row({"length": 3}, (COUNTED, None), reference=lambda x, w: [2, 1, 2]),
        Row(
            {"length": 4},
            (INTS[0], X[0]),
            reference=lambda x, w: np.bincount(x, w, 4),
        ),
    ],
    "histogram": [
        Row(
            {"bins": 4, "low": -1.0, "high": 1.0},
            (X[0], None),
            reference=_binned,
            heavy=True,
        ),
        Row(
            {"bins": 4, "low": -1.0, "high": 1.0, "density": True},
            (X[0], POSITIVE[0]),
            reference=lambda x, w: np.histogram(x, 4, (-1, 1), True, w)[0],
            grad=False,
        ),
    ],
}
