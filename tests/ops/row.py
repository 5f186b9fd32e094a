"""A row: a call of an op, and what an independent reference gives.

The rows of `schema/ops/FAMILY.py` lie in `tests/ops/rows/FAMILY.py`. The operands stand
without batch dims where `lead` holds: then the tests add some.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import jax
import numpy as np

TORCH = "torch"
"""In place of a formula: `torch_reference.safetensors` has cases of the op."""


@dataclass(frozen=True)
class Row:
    """A call of an op. What it gives and keeps beyond that is derived from the op.

    Args:
        attributes: as a file has them; those that are left out have their defaults.
        operands: arrays in the order of the spec class, a list for several, None for
            one that is absent; a number stands in the file itself.
        params: the parameters by name, `""` for a node that is one itself. Only rows
            behind the first one of an op may leave them out: they are drawn then.
        reference: of operands and parameters, in float64; or `TORCH`.
        lead: any leading dims are as good as a vmap: of all operands (True), of those
            at these places, or of none (False), as where an axis counts from the front.
        grad: the gradient is that of differences. False where it is not by design.
        integers: what comes of integers in place of floats is what comes of floats of
            their values, or they are refused. False where it is cut to integers.
        heavy: its gradient, batches and narrow types take so long to compile that only
            the first call is made in every run: `pytest --cpu` says which.
        rare: that call takes as long to compile, and is `slow` too. Where all rows of an
            op are rare, another test has some numbers of it in every run.
    """

    attributes: Mapping[str, Any] = field(default_factory=dict)
    operands: tuple[Any, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    reference: Callable[..., Any] | str = TORCH
    lead: bool | tuple[int, ...] = True
    grad: bool = True
    integers: bool = True
    heavy: bool = False
    rare: bool = False


Rows: TypeAlias = dict[str, Row | list[Row]]


def numbers(seed: int) -> Callable[..., Any]:
    """A function that draws normal numbers of a shape: a module of rows has its own."""
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> Any:
        return random.normal(size=shape).astype(np.float32)

    return normal


_normal = numbers(7)
X = _normal(3, 4)
Y = _normal(3, 4)
POSITIVE = np.abs(X) + np.float32(0.5)
INTS = np.array([[3, 1, 0, 2], [1, 1, 2, 3], [0, 2, 3, 1]], np.int32)
BOOLS = INTS > 1
IMAGE = _normal(5, 6, 4)
KEY = jax.random.key(3)
Z = (X + 1j * _normal(3, 4)).astype(np.complex64)
W = (Y + 1j * _normal(3, 4)).astype(np.complex64)


def unary(reference: Callable[..., Any] | str, x: Any = X, **attributes: Any) -> Row:
    return Row(attributes, (x,), reference=reference)


def floats(row: Row) -> Row:
    """The row of an op that is meant for floats alone: it cuts what it gives for integers."""
    return replace(row, integers=False)


def heavy(row: Row) -> Row:
    """The row, of which every run makes the first call alone."""
    return replace(row, heavy=True)


def rare(row: Row) -> Row:
    """The row, of which every run makes no call."""
    return replace(row, heavy=True, rare=True)


def binary(reference: Callable[..., Any], a: Any = X, b: Any = Y, **more: Any) -> Row:
    return Row({}, (a, b), reference=reference, **more)


def reduction(reference: Callable[..., Any], x: Any = X, **attributes: Any) -> Row:
    attributes = {"axis": -1, "keepdims": True} | attributes
    return Row(attributes, (x,), reference=lambda x: reference(x, **attributes))


def standardized(x: Any, eps: float) -> Any:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)
