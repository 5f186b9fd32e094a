"""Rows of the ops of `schema/ops/image.py`."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from ops.row import IMAGE, TORCH, Row, Rows, X, heavy, numbers, unary

normal = numbers(11)
GRID = np.tanh(normal(3, 2, 2))
BOXES = np.array([[0.3, 0.4, 4.2, 3.1], [-0.8, 1.1, 2.6, 9.7]], np.float32)


def _regions(x: Any, boxes: Any, *, scale: float, ratio: int, aligned: bool) -> Any:
    """`roi_align` of 2 by 3 cells, a sample at a time."""
    rows, columns = x.shape[:2]
    y = np.zeros((len(boxes), 2, 3, x.shape[2]))
    for box, i, j, a, b in np.ndindex(len(boxes), 2, 3, ratio, ratio):
        x1, y1, x2, y2 = boxes[box] * scale - (0.5 if aligned else 0)
        wide, high = x2 - x1, y2 - y1
        if not aligned:
            wide, high = max(wide, 1), max(high, 1)
        row = y1 + (i + (a + 0.5) / ratio) * high / 2
        column = x1 + (j + (b + 0.5) / ratio) * wide / 3
        if not (-1 <= row <= rows and -1 <= column <= columns):
            continue
        row, column = np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)
        up = np.maximum(1 - np.abs(row - np.arange(rows)), 0)
        left = np.maximum(1 - np.abs(column - np.arange(columns)), 0)
        weights = np.outer(up, left)
        y[box, i, j] += np.einsum("hw,hwc->c", weights, x) / ratio**2
    return y


def _moved(x: Any, scale: Any, translation: Any, antialias: bool) -> Any:
    """Pixel by pixel, with a triangle over the pixels where the place came from."""
    for axis, size in enumerate((7, 3)):
        n, factor = x.shape[axis], scale[axis]
        rows = []
        for i in range(size):
            at = (i + 0.5 - translation[axis]) / factor
            width = max(1 / factor, 1) if antialias else 1
            weights = np.maximum(1 - np.abs(at - 0.5 - np.arange(n)) / width, 0)
            inside = 0 <= at <= n
            rows.append(np.moveaxis(x, axis, -1) @ (inside * weights / weights.sum()))
        x = np.stack(rows, axis)
    return x


ROWS: Rows = {
    "resize": [
        heavy(unary(TORCH, IMAGE, sizes=[7, 4], method="linear", antialias=False)),
        *(
            Row({"sizes": [7, 4], "antialias": False, **more}, (IMAGE,))
            for more in (
                {"method": "cubic_edge"},
                {"method": "linear", "coordinates": "align_corners"},
                {"method": "nearest", "coordinates": "asymmetric"},
            )
        ),
    ],
    "scale_and_translate": [
        Row(
            {"sizes": [7, 3], "method": "linear", "antialias": antialias},
            (IMAGE, np.array([1.3, 0.6], "f"), np.array([0.2, -0.37], "f")),
            reference=partial(_moved, antialias=antialias),
            lead=(0,),
            heavy=True,
        )
        for antialias in (False, True)
    ],
    "grid_sample": [
        Row({"align_corners": False}, (IMAGE, GRID), heavy=True),
        Row(
            {"align_corners": True, "padding_mode": "reflection"},
            (IMAGE, GRID),
        ),
        Row(
            {"align_corners": True, "padding_mode": "border", "method": "nearest"},
            (IMAGE, GRID),
            grad=False,
        ),
        Row(
            {
                "align_corners": False,
                "method": "cubic",
                "padding_mode": "reflection",
            },
            (IMAGE, GRID),
        ),
    ],
    "affine_grid": [
        Row({"sizes": [3, 4], "align_corners": aligned}, (normal(2, 3),))
        for aligned in (False, True)
    ],
    "roi_align": [
        Row(
            {"sizes": [2, 3], "spatial_scale": 0.9},
            (IMAGE, BOXES),
            reference=lambda x, boxes: _regions(
                x, boxes, scale=0.9, ratio=2, aligned=True
            ),
            heavy=True,
        ),
        Row(
            {"sizes": [2, 3], "sampling_ratio": 3, "aligned": False},
            (IMAGE, BOXES),
            reference=lambda x, boxes: _regions(
                x, boxes, scale=1, ratio=3, aligned=False
            ),
            rare=True,
        ),
    ],
    "local_response_norm": unary(TORCH, X, size=3, alpha=0.5),
}
