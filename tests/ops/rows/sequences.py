"""Rows of the ops of `schema/ops/sequences.py`."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np
from ops.row import POSITIVE, Row, Rows, X, Y, heavy, numbers, unary

normal = numbers(31)
SHORT = normal(3)

_MODES: tuple[Literal["full", "same", "valid"], ...] = ("full", "same", "valid")


def _divided(u: Any, v: Any) -> Any:
    quotient, rest = np.polydiv(u, v)
    return quotient, np.append(np.zeros(len(u) - len(rest)), rest)


ROWS: Rows = {
    "convolve": [
        Row(
            {"mode": mode},
            (X[0], SHORT),
            reference=partial(np.convolve, mode=mode),
        )
        for mode in _MODES
    ],
    "correlate": [
        Row(
            {"mode": mode},
            (X[0], SHORT),
            reference=partial(np.correlate, mode=mode),
        )
        for mode in _MODES
    ],
    "gradient": [
        unary(lambda x: np.gradient(x, axis=-1)),
        unary(lambda x: np.gradient(x, 0.5, axis=-2), spacing=0.5, axis=-2),
    ],
    "unwrap": [
        unary(np.unwrap, 5 * X),
        unary(lambda x: np.unwrap(x, axis=-2, period=2), X, axis=-2, period=2.0),
    ],
    "polyder": unary(np.polyder, X[0]),
    "polyint": unary(np.polyint, X[0]),
    "roots": [
        heavy(
            unary(lambda p: np.roots(p).astype(complex), np.array([1.0, -3, 1, 2], "f"))
        ),
        Row(
            {},
            (np.array([0, 2, 1, 3], np.float32),),
            reference=lambda p: np.append(np.roots(p), np.nan + 1j * np.nan),
            grad=False,
        ),
    ],
    "polydiv": [
        Row({}, (Y[0], SHORT), reference=_divided),
        Row({}, (SHORT, Y[0]), reference=lambda u, v: (np.zeros(1), u)),
    ],
    "vander": [
        unary(lambda x: np.vander(x, 3), POSITIVE[0], n=3),
        unary(lambda x: np.vander(x, 5, True), Y[0], n=5, increasing=True),
    ],
}
