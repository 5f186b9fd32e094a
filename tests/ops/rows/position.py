"""Rows of the ops of `schema/ops/position.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.row import (
    Row,
    Rows,
    numbers,
    unary,
)

normal = numbers(6)


def _angles(positions: Any, dim: int, theta: float) -> Any:
    return positions[..., None] * theta ** (-np.arange(0, dim, 2) / dim)


def _rotated(x: Any, cos: Any, sin: Any) -> Any:
    a, b = np.split(x, 2, -1)
    turned = (a + 1j * b) * (cos + 1j * sin)[..., None, :]
    return np.concatenate([turned.real, turned.imag], -1)


def _interleaved(x: Any, cos: Any, sin: Any) -> Any:
    turned = (x[..., ::2] + 1j * x[..., 1::2]) * (cos + 1j * sin)[..., None, :]
    return np.stack([turned.real, turned.imag], -1).reshape(x.shape)


_positions = np.array([0, 1, 5, 700], np.int32)
_cos, _sin = np.cos(_angles(_positions, 6, 1e4)), np.sin(_angles(_positions, 6, 1e4))
_ROPE = (normal(4, 2, 6), _cos.astype(np.float32), _sin.astype(np.float32))

ROWS: Rows = {
    "rope_table": [
        Row(
            {"dim": 6},
            (_positions,),
            reference=lambda p: (
                np.cos(_angles(p, 6, 1e4)),
                np.sin(_angles(p, 6, 1e4)),
            ),
        ),
        Row(
            {"dim": 6, "scaling": "linear", "factor": 2.0},
            (np.arange(4),),
            reference=lambda p: (
                np.cos(_angles(p / 2, 6, 1e4)),
                np.sin(_angles(p / 2, 6, 1e4)),
            ),
        ),
    ],
    "rope": [
        Row(
            {},
            _ROPE,
            reference=_rotated,
        ),
        Row({"layout": "interleaved"}, _ROPE, reference=_interleaved),
    ],
    "sinusoidal": [
        Row(
            {"dim": 6, "layout": "half_split"},
            (_positions,),
            reference=lambda p: np.concatenate(
                [np.sin(_angles(p, 6, 1e4)), np.cos(_angles(p, 6, 1e4))], -1
            ),
        ),
        unary(
            lambda p: np.stack(
                [np.sin(_angles(p, 6, 1e4)), np.cos(_angles(p, 6, 1e4))], -1
            ).reshape(4, 6),
            np.arange(4),
            dim=6,
            layout="interleaved",
        ),
    ],
}
