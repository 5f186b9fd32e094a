"""Rows of the ops of `schema/ops/signal.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.row import TORCH, Row, Rows


def _windows(*weights: float) -> list[Row]:
    """A sum of cosines of 9 elements, which are a period or more than one."""

    def wave(m: int) -> Any:
        angles = 2 * np.pi * np.arange(9) / m
        return sum(w * np.cos(i * angles) for i, w in enumerate(weights))

    rows = [
        Row({"size": 9, "periodic": periodic}, reference=lambda m=m: wave(m))
        for m, periodic in ((8, False), (9, True))
    ]
    one = Row({"size": 1, "periodic": True}, reference=lambda: np.ones(1))
    return [*rows, one]


def _bank(edges: Any, top: float) -> Any:
    """Triangles over 33 frequencies up to `top` Hz."""
    at = np.linspace(0, top, 33)
    bands = [np.interp(at, edges[i : i + 3], [0, 1, 0]) for i in range(len(edges) - 2)]
    return np.stack(bands, -1)


HTK = 700 * np.expm1(np.linspace(0, np.log1p(4000 / 700), 7))

ROWS: Rows = {
    "hanning": _windows(0.5, -0.5),
    "hamming": _windows(0.54, -0.46),
    "blackman": _windows(0.42, -0.5, 0.08),
    "mel_filter_bank": [
        Row(
            {
                "num_frequencies": 33,
                "num_mels": 5,
                "sample_rate": 8000.0,
                "high": 4000.0,
            }
            | {"scale": "htk", "norm": "none"},
            reference=lambda: _bank(HTK, 4000),
        ),
        Row(
            {"num_frequencies": 33, "num_mels": 6, "sample_rate": 16000.0, "low": 50.0}
            | {"high": 7000.0, "scale": "slaney", "norm": "slaney"},
            reference=TORCH,
        ),
    ],
}
