"""Rows of the ops of `schema/ops/linalg.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
from ops.row import Row, Rows, heavy, numbers, rare, unary
from scipy import linalg

normal = numbers(22)
A = normal(3, 3) + 2 * np.eye(3, dtype=np.float32)
B = normal(3, 2)
TALL = normal(4, 3)
SYMMETRIC = (A + A.T) / 2
HERMITIAN = (SYMMETRIC + 1j * (A - A.T)).astype(np.complex64)
DEFINITE = A @ A.T + np.eye(3, dtype=np.float32)


def _matrix_norm(order: Any) -> Row:
    norm = partial(np.linalg.matrix_norm, ord=order, keepdims=True)
    return unary(norm, TALL, order=order, keepdims=True)


def _hermitian(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function of what `x` and its adjoint have in common, which is all that JAX sees."""
    return lambda x: function((x + x.conj().T) / 2)


def _lu(x: Any) -> Any:
    order, lower, upper = cast("tuple[Any, Any, Any]", linalg.lu(x))
    return order.astype(x.dtype), lower, upper


def _eig(x: Any) -> Any:
    return tuple(y.astype(complex) for y in np.linalg.eig(x))


ROWS: Rows = {
    "solve": [
        Row({}, (A, B), reference=np.linalg.solve, heavy=True),
        Row({}, (A, B[:, 0]), reference=np.linalg.solve, lead=(0,)),
    ],
    "solve_triangular": [
        Row(
            {"lower": True},
            (A, B),
            reference=lambda a, b: linalg.solve_triangular(a, b, lower=True),
        ),
        Row(
            {"lower": False, "transpose": True, "unit_diagonal": True},
            (A, B),
            reference=lambda a, b: linalg.solve_triangular(
                a, b, trans=1, unit_diagonal=True
            ),
        ),
    ],
    "lstsq": Row(
        {},
        (TALL, normal(4, 2)),
        reference=lambda a, b: np.linalg.lstsq(a, b)[0],
        heavy=True,
    ),
    "inv": heavy(unary(np.linalg.inv, A)),
    "pinv": [
        heavy(unary(np.linalg.pinv, TALL)),
        rare(unary(lambda x: np.linalg.pinv(x, 0.4), TALL, rtol=0.4)),
    ],
    "det": unary(np.linalg.det, A),
    "slogdet": heavy(unary(np.linalg.slogdet, -A)),
    "cholesky": [
        unary(_hermitian(np.linalg.cholesky), DEFINITE),
        unary(_hermitian(lambda x: np.linalg.cholesky(x).T), DEFINITE, upper=True),
        unary(_hermitian(np.linalg.cholesky), HERMITIAN @ HERMITIAN),
    ],
    "qr": [
        unary(np.linalg.qr, TALL),
        Row(
            {"mode": "complete"},
            (TALL,),
            reference=lambda x: np.linalg.qr(x, "complete"),
            grad=False,
        ),
    ],
    "svd": [
        Row({}, (TALL,), reference=np.linalg.svd, grad=False),
        unary(
            lambda x: np.linalg.svd(x, full_matrices=False), TALL, full_matrices=False
        ),
    ],
    "svdvals": unary(np.linalg.svdvals, A),
    "eig": replace(unary(_eig, A), grad=False),
    "eigvals": unary(lambda x: np.linalg.eigvals(x).astype(complex), A),
    "eigh": unary(_hermitian(np.linalg.eigh), SYMMETRIC),
    "eigvalsh": [
        unary(_hermitian(np.linalg.eigvalsh), SYMMETRIC),
        unary(_hermitian(np.linalg.eigvalsh), HERMITIAN),
    ],
    "matrix_power": [
        unary(lambda x: x @ x @ x, A, n=3),
        unary(lambda x: np.linalg.inv(x @ x), A, n=-2),
    ],
    "expm": heavy(unary(linalg.expm, A)),
    "matrix_norm": [
        heavy(unary(np.linalg.norm, A)),
        *map(_matrix_norm, ("nuc", 1, -1, 2, -2)),
    ],
    "lu": [heavy(unary(linalg.lu, A)), unary(_lu, HERMITIAN)],
    "cho_solve": [
        Row(
            {},
            (np.linalg.cholesky(DEFINITE), B),
            reference=lambda c, b: np.linalg.solve(np.tril(c) @ np.tril(c).T, b),
        ),
        Row(
            {},
            (HERMITIAN, B),
            reference=lambda c, b: np.linalg.solve(np.tril(c) @ np.tril(c).conj().T, b),
        ),
        Row(
            {"upper": True},
            (A, B),
            reference=lambda c, b: np.linalg.solve(np.triu(c).T @ np.triu(c), b),
        ),
    ],
    "matrix_rank": [
        unary(np.linalg.matrix_rank, np.array([[1, 2], [2, 4]], np.float32)),
        unary(lambda x: np.linalg.matrix_rank(x, rtol=0.9), A, rtol=0.9),
    ],
}
