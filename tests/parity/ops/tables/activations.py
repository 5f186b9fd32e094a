"""Activations, over a range of numbers and with numbers far out."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from parity.ops.tables.row import Numbers, Row, Rows

NEAR_0 = np.linspace(-8, 8, 61, dtype=np.float32).reshape(1, 61) + np.float32(0.013)
FAR = np.array([[-1e4, -300, -88, -30, -20.5, 20.5, 30, 88, 300, 1e4]], np.float32)
KINDS: dict[str, Callable[..., Any]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "celu": F.celu,
    "selu": F.selu,
    "silu": F.silu,
    "mish": F.mish,
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "soft_sign": F.softsign,
    "sigmoid": torch.sigmoid,
    "log_sigmoid": F.logsigmoid,
    "hard_sigmoid": F.hardsigmoid,
    "hard_silu": F.hardswish,
    "hard_tanh": F.hardtanh,
    "tanh": torch.tanh,
    "squareplus": lambda x: (x + (x * x + 4).sqrt()) / 2,
    "sparse_plus": lambda x: torch.where(
        x <= -1, 0 * x, torch.where(x >= 1, x, (x + 1) ** 2 / 4)
    ),
    "sparse_sigmoid": lambda x: torch.clip((x + 1) / 2, 0, 1),
}
WITH_ATTRIBUTES: list[tuple[str, dict[str, Any], Callable[..., Any]]] = [
    *(
        ("leaky_relu", {"negative_slope": s}, lambda x, s=s: F.leaky_relu(x, s))
        for s in (0.0, 0.2, 1.5)
    ),
    *(("elu", {"alpha": a}, lambda x, a=a: F.elu(x, a)) for a in (0.3, 1.7)),
    *(("celu", {"alpha": a}, lambda x, a=a: F.celu(x, a)) for a in (0.3, 1.7)),
    *(
        ("squareplus", {"b": b}, lambda x, b=b: (x + (x * x + b).sqrt()) / 2)
        for b in (0.5, 9.0)
    ),
    ("gelu", {"approximate": False}, F.gelu),
    ("gelu", {"approximate": True}, lambda x: F.gelu(x, approximate="tanh")),
]


def elementwise() -> Rows:
    plain: list[tuple[str, dict[str, Any], Callable[..., Any]]] = [
        (name, {}, function) for name, function in KINDS.items()
    ]
    for (name, given, function), x in product(
        [*plain, *WITH_ATTRIBUTES], (NEAR_0, FAR)
    ):
        if name == "squareplus" and x is FAR:  # x + |x| in float32
            x = x[:, 5:]
        yield Row(name, given, {"x": x}, lambda x, f=function: f(x))


def below_zero() -> Rows:
    x = -np.array([[1e-4, 1e-2, 0.3, 0.69, 0.7, 1, 5, 40]], np.float32)
    # Of x in jax.nn: log(1 - exp(-x)).
    yield Row("log1mexp", {}, {"x": -x}, lambda x: torch.log(-torch.expm1(-x)))


def over_axes() -> Rows:
    numbers = Numbers(30)
    for scale, axis in product((1, 50), (-1, 0, 1)):
        x = {"x": scale * numbers(3, 4, 6)}
        yield Row("softmax", {"axis": axis}, x, lambda x, a=axis: F.softmax(x, a))
        yield Row(
            "log_softmax", {"axis": axis}, x, lambda x, a=axis: F.log_softmax(x, a)
        )
        for keep in (True, False):
            given = {"axis": axis, "keepdims": keep}

            def total(x: Any, axis: int = axis, keep: bool = keep) -> Any:
                return torch.logsumexp(x, axis, keep)

            def mean(x: Any, axis: int = axis, keep: bool = keep) -> Any:
                return torch.logsumexp(x, axis, keep) - np.log(x.shape[axis])

            yield Row("logsumexp", given, x, total)
            yield Row("logmeanexp", given, x, mean)
    for axes in ([0, 1], [-1, 0]):
        x = {"x": numbers(3, 4, 6)}

        def several(x: Any, axes: Any = axes) -> Any:
            return torch.exp(x - torch.logsumexp(x, axes, True))

        yield Row("softmax", {"axis": axes}, x, several)
        yield Row(
            "logsumexp", {"axis": axes}, x, lambda x, a=axes: torch.logsumexp(x, a)
        )
    for axis in (-1, 0, 1):
        yield Row(
            "glu",
            {"axis": axis},
            {"x": numbers(2, 4, 6)},
            lambda x, a=axis: F.glu(x, a),
        )


def edges() -> Rows:
    """Infinities and NaN, without gradients: what PyTorch gives in float64."""
    x = np.array([[-np.inf, np.inf, np.nan, -0.0, 0.0]], np.float32)
    finite = {
        "mish",
        "silu",
        "hard_silu",
        "sparse_plus",
        "squareplus",
        "soft_sign",
        "gelu",
    }
    for name, function in KINDS.items():
        # inf / inf and 0 * inf: forms of one function differ there.
        given = x[:, 2:] if name in finite else x
        yield Row(name, {}, {"x": given}, lambda x, f=function: f(x), slopes=False)


TABLES = (elementwise, below_zero, over_axes, edges)
