"""Rows of the ops of `schema/ops/pooling.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.row import (
    IMAGE,
    TORCH,
    Row,
    Rows,
    unary,
)


def _pooled(
    of: Any,
    x: Any,
    window: tuple[int, int],
    strides: tuple[int, int] | None = None,
    pads: Any = ((0, 0), (0, 0)),
) -> Any:
    """Window by window: x (height, width, features)."""
    x = np.pad(x, (*pads, (0, 0)), constant_values=-np.inf)
    down, right = strides or window
    windows = np.lib.stride_tricks.sliding_window_view(x, window, (0, 1))
    return of(windows[::down, ::right], (-2, -1))


ROWS: Rows = {
    "max_pool": [
        unary(TORCH, IMAGE, window=[3, 2], strides=2, padding=[[1, 1], [0, 1]]),
        unary(
            lambda x: _pooled(np.max, x, (2, 2), pads=((0, 1), (0, 0))),
            IMAGE,
            window=[2, 2],
            padding="SAME",
        ),
        unary(
            lambda x: _pooled(
                lambda y, axes: y[..., ::1, ::2].max(axes),
                x,
                (2, 3),
                strides=(1, 1),
                pads=((0, 1), (1, 1)),
            ),
            IMAGE,
            window=[2, 2],
            padding="SAME",
            dilation=[1, 2],
            strides=1,
        ),
    ],
    "min_pool": unary(TORCH, IMAGE, window=[3, 2], padding="SAME", ceil_mode=True),
    "avg_pool": [
        unary(TORCH, IMAGE, window=[3, 3], padding=[[1, 1], [1, 0]]),
        Row(
            {"window": [2, 2], "strides": [1, 2], "count_include_pad": True},
            (IMAGE,),
            reference=lambda x: _pooled(np.mean, x, (2, 2), strides=(1, 2)),
        ),
        Row(
            {"window": [3, 2], "strides": 2, "ceil_mode": True},
            (IMAGE,),
            reference=lambda x: _pooled(np.mean, x, (3, 2), strides=(2, 2)),
        ),
    ],
    "lp_pool": [
        unary(TORCH, IMAGE, window=[3, 2]),
        unary(
            lambda x: np.cbrt(
                np.abs(x[[0, 2, 4]]) ** 3 + np.abs([*x[[2, 4]], 0 * x[0]]) ** 3
            ),
            IMAGE[0],
            window=[2],
            power=3.0,
            dilation=2,
            ceil_mode=True,
        ),
    ],
    "adaptive_avg_pool": unary(TORCH, IMAGE, sizes=[2, 4]),
    "adaptive_max_pool": unary(TORCH, IMAGE, sizes=[2, 4]),
}
