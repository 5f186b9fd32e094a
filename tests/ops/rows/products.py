"""Rows of the ops of `schema/ops/products.py`."""

from __future__ import annotations

import numpy as np
from ops.row import Row, Rows, W, X, Y, Z, binary, numbers, unary

normal = numbers(21)
CUBE = normal(2, 3, 4)

ROWS: Rows = {
    "vecdot": [
        binary(lambda a, b: (a * b).sum(-1)),
        binary(lambda a, b: (a.conj() * b).sum(-1), Z, W),
        Row({"axis": -2}, (X, Y), reference=lambda a, b: (a * b).sum(-2)),
    ],
    "outer": binary(np.outer, X[0], Y[1, :3]),
    "cross": [
        binary(np.cross, X[:, :3], Y[:, :3]),
        Row({"axis": -2}, (X, Y), reference=lambda a, b: np.cross(a, b, axis=-2)),
    ],
    "kron": binary(np.kron, X, Y[:2, :3]),
    "diag": unary(np.diag, X[0]),
    "diagonal": [
        unary(np.diagonal),
        unary(lambda x: np.diagonal(x, 1, 0, 2), CUBE, offset=1, axis1=-3),
    ],
    "trace": [unary(np.trace), unary(lambda x: np.trace(x, -1), offset=-1)],
    "tril": [unary(np.tril), unary(lambda x: np.tril(x, -1), CUBE, k=-1)],
    "triu": [unary(np.triu), unary(lambda x: np.triu(x, 2), CUBE, k=2)],
    "diff": [unary(np.diff), unary(lambda x: np.diff(x, 2, -2), n=2, axis=-2)],
    "trapezoid": [
        unary(np.trapezoid),
        unary(lambda x: np.trapezoid(x, dx=0.5, axis=-2), dx=0.5, axis=-2),
    ],
    "polyval": Row({}, (X[0], Y), reference=np.polyval, lead=(1,)),
}
