"""Rows of the ops of `schema/ops/complex.py`."""

from __future__ import annotations

import numpy as np
from ops.row import Row, Rows, X, Y, Z, unary

ROWS: Rows = {
    "real": [unary(np.real, Z), unary(np.real)],
    "imag": [unary(np.imag, Z), unary(np.imag)],
    "conj": [unary(np.conj, Z), unary(np.conj)],
    "angle": [unary(np.angle, Z), unary(np.angle)],
    "complex": [
        Row({}, (X, Y), reference=lambda x, y: x + 1j * y),
        Row({}, (1.0, Y[0]), reference=lambda x, y: x + 1j * y, lead=(1,)),
        Row({}, (X[:, :1], Y[0]), reference=lambda x, y: x + 1j * y, lead=(0,)),
    ],
}
