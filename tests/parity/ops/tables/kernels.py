"""Norms of kernels, and of vectors."""

from __future__ import annotations

from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from parity.ops.tables.row import Numbers, Row, Rows
from torch import nn
from torch.nn.utils import parametrizations


def kernels() -> Rows:
    numbers = Numbers(27)
    shapes: tuple[tuple[int, ...], ...] = ((5, 6), (3, 2, 6), (2, 3, 2, 6))
    for shape in shapes:

        def weight(x: Any, scale: Any) -> Any:
            n = x.ndim - 1
            made = torch._weight_norm(x.movedim(-1, 0), scale.reshape(-1, *[1] * n), 0)
            return made.movedim(0, -1)

        arrays = {"x": numbers(*shape), "scale": numbers(6)}
        yield Row("weight_norm", {"features": 6}, arrays, weight)
    for shape, iterations, train in product(shapes[:2], (1, 3), (True, False)):

        def spectral(x: Any, u: Any, row: Any = (iterations, train)) -> Any:
            """Theirs has the direction of the outputs first, and of the inputs as state."""
            count, train = row
            module = nn.Linear(1, 1, dtype=x.dtype)
            kernel = x.detach().movedim(-1, 0)
            module.weight = nn.Parameter(kernel)
            parametrizations.spectral_norm(module, n_power_iterations=count, dim=0)
            norm = module.parametrizations.weight[0].train(train)
            start = F.normalize(u.detach(), dim=0)
            norm._u.copy_(start)
            norm._v.copy_(F.normalize(kernel.flatten(1).T @ start, dim=0))
            y = norm(x.movedim(-1, 0)).movedim(0, -1)
            return y, *([norm._u.clone()] if train else [])

        arrays = {"x": numbers(*shape), "u": numbers(6)}
        given = {"features": 6, "iterations": iterations}
        yield Row("spectral_norm", given, arrays, spectral, train=train)


def unit() -> Rows:
    numbers = Numbers(28)
    for axis, eps in product((-1, 0, 1, [0, 2], [-1, -2]), (1e-12, 1.0, 3.0)):

        def reference(x: Any, axis: Any = axis, eps: float = eps) -> Any:
            return F.normalize(x, dim=axis, eps=eps)

        yield Row(
            "l2_normalize",
            {"axis": axis, "eps": eps},
            {"x": numbers(3, 4, 2)},
            reference,
        )
    for axis in (-1, 0, [0, 2]):
        yield Row(
            "standardize",
            {"axis": axis, "eps": 1e-3},
            {"x": numbers(3, 4, 5) + 7},
            lambda x, axis=axis: (
                (x - x.mean(axis, keepdims=True))
                * torch.rsqrt(x.var(axis, correction=0, keepdims=True) + 1e-3)
            ),
        )


TABLES = (kernels, unit)
