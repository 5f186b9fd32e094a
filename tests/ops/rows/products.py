"""Rows of the ops of `schema/ops/products.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.row import INTS, Row, Rows, W, X, Y, Z, binary, numbers, unary

normal = numbers(21)
CUBE = normal(2, 3, 4)


def _filled(x: Any, value: Any) -> Any:
    return np.where(np.eye(*x.shape) == 1, value, x)


def _scaled(a: Any, b: Any, a_scales: Any, b_scales: Any) -> Any:
    def wide(x: Any, scales: Any) -> Any:
        blocks = x.reshape(len(x), scales.shape[1], -1) * scales[..., None]
        return blocks.reshape(x.shape)

    return wide(a, a_scales) @ wide(b, b_scales).T


ROWS: Rows = {
    "fill_diagonal": [
        Row({}, (X, 2.5), reference=_filled, lead=(0,)),
        binary(_filled, X.T, Y[:, :1].repeat(4, 0)[:4]),
    ],
    "rot90": [
        unary(lambda x: np.rot90(x, 1, (-2, -1))),
        unary(lambda x: np.rot90(x, -1, (-1, -2)), k=-1, axis1=-1, axis2=-2),
        unary(lambda x: np.rot90(x, 2, (-2, -1)), k=2),
        unary(lambda x: np.rot90(x, 1, (-2, -1)), Z),
    ],
    "scaled_matmul": [
        Row(
            {},
            (normal(3, 6), normal(5, 6), normal(3, 2), normal(5, 3)),
            reference=_scaled,
        ),
        Row(
            {},
            (INTS, INTS[:2], normal(3, 1), normal(2, 4)),
            reference=_scaled,
        ),
    ],
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
