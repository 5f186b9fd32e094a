"""Rows of the ops of `schema/ops/windows.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from ops.row import IMAGE, TORCH, Row, Rows, heavy, numbers, unary

normal = numbers(12)
TALL = IMAGE[:4]
PLACES = np.stack([np.random.default_rng(c).permutation(20)[:6] for c in range(4)], -1)


def _patches(x: Any, pads: Any, reach: tuple[int, int], taps: int, step: int) -> Any:
    """Windows as vectors, every `step`-th one of a column, of every `taps`-th element."""
    windows = sliding_window_view(np.pad(x, (*pads, (0, 0))), reach, (0, 1))
    windows = np.moveaxis(windows[::step, ..., ::taps, ::taps], 2, -1)
    return windows.reshape(*windows.shape[:2], -1)


def _summed(x: Any) -> Any:
    """Windows of 2 by 2 at all places of an image of 5 by 6."""
    y = np.zeros((5, 6, 2), x.dtype)
    for i, j in np.ndindex(4, 5):
        y[i : i + 2, j : j + 2] += x[i, j].reshape(2, 2, 2)
    return y


def _greatest(x: Any) -> Any:
    """The greater of the elements before and behind, and which one it is."""
    padded = np.pad(x, ((1, 1), (0, 0)), constant_values=-np.inf)
    both = np.stack([padded[:-2], padded[2:]])
    places = np.arange(len(x))[:, None] + 2 * both.argmax(0) - 1
    return both.max(0), places


def _shuffled(x: Any) -> Any:
    """Blocks of 1 by 2, the place in the block before the features."""
    return x.reshape(*x.shape[:2], 2, -1).reshape(x.shape[0], 2 * x.shape[1], -1)


def _unpooled(x: Any, places: Any) -> Any:
    y = np.zeros((20, 4))
    np.put_along_axis(y, places.reshape(6, 4), x.reshape(6, 4), 0)
    return y.reshape(4, 5, 4)


ROWS: Rows = {
    "im2col": [
        unary(
            lambda x: _patches(x, ((0, 0), (0, 0)), (2, 3), 1, 1), IMAGE, window=[2, 3]
        ),
        Row(
            {"window": [2, 3], "strides": [2, 1], "padding": "SAME", "dilation": 2},
            (IMAGE,),
            reference=lambda x: _patches(x, ((1, 1), (2, 2)), (3, 5), 2, 2),
        ),
    ],
    "col2im": [
        Row(
            {"window": [2, 2], "sizes": [5, 6]},
            (normal(4, 5, 8),),
            reference=_summed,
            heavy=True,
        ),
        Row(
            {"window": [2], "strides": 2, "padding": [[1, 0]], "sizes": [5]},
            (normal(3, 4),),
            reference=lambda x: x.reshape(6, 2)[1:],
        ),
    ],
    "max_pool_with_indices": [
        heavy(unary(TORCH, IMAGE, window=[3, 2])),
        Row(
            {"window": [2], "padding": "SAME", "strides": 1, "dilation": 2},
            (IMAGE[0],),
            reference=_greatest,
        ),
    ],
    "max_unpool": Row(
        {"sizes": [4, 5]},
        (normal(2, 3, 4), PLACES.reshape(2, 3, 4).astype(np.int32)),
        reference=_unpooled,
    ),
    "depth_to_space": [
        unary(TORCH, TALL, block=[2, 2], order="CRD"),
        unary(_shuffled, TALL, block=[1, 2], order="DCR"),
    ],
    "space_to_depth": [
        unary(TORCH, TALL, block=[2, 2], order="CRD"),
        Row(
            {"block": [1, 2], "order": "DCR"},
            (TALL,),
            reference=lambda x: x.reshape(4, 3, 8),
        ),
    ],
    "window_partition": unary(
        lambda x: np.stack(
            [x[i : i + 2, j : j + 3].reshape(6, -1) for i in (0, 2) for j in (0, 3)]
        ),
        TALL,
        window=[2, 3],
    ),
    "window_merge": Row(
        {"sizes": [4, 6], "window": [2, 3]},
        (normal(4, 6, 4),),
        reference=lambda x: np.concatenate(
            [
                np.concatenate([x[k].reshape(2, 3, -1) for k in (row, row + 1)], 1)
                for row in (0, 2)
            ]
        ),
    ),
}
