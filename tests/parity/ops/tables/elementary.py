"""Functions of numbers: over their domains, with gradients, and at their edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from parity.ops.tables.row import Row, Rows
from torch import special

from blox.schema import op_class

RANDOM = np.random.default_rng(40)
COUNT = 200


def between(low: float, high: float) -> Any:
    return RANDOM.uniform(low, high, COUNT).astype(np.float32)


def spread(low: float, high: float) -> Any:
    """Positive, of all magnitudes."""
    logs = RANDOM.uniform(np.log(low), np.log(high), COUNT)
    return np.exp(logs).astype(np.float32)


def both(low: float, high: float) -> Any:
    return spread(low, high) * RANDOM.choice([-1, 1], COUNT).astype(np.float32)


Case = tuple[str, Callable[..., Any], tuple[Any, ...]]
SMOOTH: list[Case] = [
    ("exp", torch.exp, (between(-80, 80),)),
    ("expm1", torch.expm1, (both(1e-8, 60),)),
    ("log", torch.log, (spread(1e-30, 1e30),)),
    ("log1p", torch.log1p, (spread(1e-8, 1e20),)),
    ("sqrt", torch.sqrt, (spread(1e-20, 1e20),)),
    ("rsqrt", torch.rsqrt, (spread(1e-10, 1e20),)),
    ("square", torch.square, (both(1e-10, 1e10),)),
    ("sin", torch.sin, (between(-50, 50),)),
    ("cos", torch.cos, (between(-50, 50),)),
    ("tan", torch.tan, (between(-1.4, 1.4),)),
    ("asin", torch.asin, (between(-0.95, 0.95),)),
    ("acos", torch.acos, (between(-0.95, 0.95),)),
    ("atan", torch.atan, (both(1e-6, 1e6),)),
    ("sinh", torch.sinh, (between(-60, 60),)),
    ("cosh", torch.cosh, (between(-60, 60),)),
    ("asinh", torch.asinh, (both(1e-6, 1e15),)),
    ("acosh", torch.acosh, (1 + spread(1e-1, 1e15),)),
    ("atanh", torch.atanh, (between(-0.95, 0.95),)),
    ("erf", torch.erf, (between(-4, 4),)),
    ("erfc", torch.erfc, (between(-4, 6),)),
    ("erf_inv", torch.erfinv, (between(-0.98, 0.98),)),
    ("exp2", torch.exp2, (between(-100, 100),)),
    ("log2", torch.log2, (spread(1e-30, 1e30),)),
    ("log10", torch.log10, (spread(1e-30, 1e30),)),
    ("reciprocal", torch.reciprocal, (both(1e-8, 1e8),)),
    ("sinc", torch.sinc, (between(-8, 8),)),
    ("deg2rad", torch.deg2rad, (between(-400, 400),)),
    ("rad2deg", torch.rad2deg, (between(-10, 10),)),
    ("abs", torch.abs, (both(1e-5, 1e5),)),
    ("negative", torch.neg, (both(1e-5, 1e5),)),
    ("gammaln", torch.lgamma, (spread(1e-3, 1e5),)),
    ("digamma", torch.digamma, (spread(1e-2, 1e5),)),
    ("i0", special.i0, (between(-20, 20),)),
    ("i0e", special.i0e, (between(-60, 60),)),
    ("i1", special.i1, (between(-20, 20),)),
    ("i1e", special.i1e, (between(-60, 60),)),
    ("entr", special.entr, (spread(1e-5, 1e3),)),
    ("logit", torch.logit, (between(0.01, 0.99),)),
    ("ndtr", special.ndtr, (between(-5, 5),)),
    ("ndtri", special.ndtri, (between(0.01, 0.99),)),
    ("log_ndtr", special.log_ndtr, (between(-9, 4),)),
    ("add", torch.add, (both(1e-3, 1e3), both(1e-3, 1e3))),
    ("subtract", torch.sub, (both(1e-3, 1e3), both(1e-3, 1e3))),
    ("multiply", torch.mul, (both(1e-3, 1e3), both(1e-3, 1e3))),
    ("divide", torch.div, (both(1e-3, 1e3), both(1e-2, 1e2))),
    ("power", torch.pow, (spread(1e-3, 1e3), between(-3, 3))),
    ("atan2", torch.atan2, (both(1e-3, 1e3), both(1e-3, 1e3))),
    ("hypot", torch.hypot, (both(1e-3, 1e3), both(1e-3, 1e3))),
    ("logaddexp", torch.logaddexp, (between(-80, 80), between(-80, 80))),
    ("logaddexp2", torch.logaddexp2, (between(-80, 80), between(-80, 80))),
    ("xlogy", special.xlogy, (both(1e-3, 1e3), spread(1e-3, 1e3))),
    ("xlog1py", special.xlog1py, (both(1e-3, 1e3), spread(1e-3, 1e3))),
    ("maximum", torch.maximum, (both(1e-3, 1e3), both(1e-3, 1e3))),
    ("minimum", torch.minimum, (both(1e-3, 1e3), both(1e-3, 1e3))),
    ("fmax", torch.fmax, (both(1e-3, 1e3), both(1e-3, 1e3))),
    ("fmin", torch.fmin, (both(1e-3, 1e3), both(1e-3, 1e3))),
]
VALUES: list[Case] = [
    ("gammainc", torch.special.gammainc, (spread(0.1, 50), spread(0.1, 50))),
    ("gammaincc", torch.special.gammaincc, (spread(0.1, 50), spread(0.1, 50))),
    ("zeta", special.zeta, (between(1.5, 20), between(0.5, 20))),
    ("sign", torch.sign, (both(1e-5, 1e5),)),
    ("floor", torch.floor, (between(-50, 50),)),
    ("ceil", torch.ceil, (between(-50, 50),)),
    ("round", torch.round, (np.arange(-40, 41).astype(np.float32) / 4,)),
    ("trunc", torch.trunc, (between(-50, 50),)),
    ("floor_divide", torch.floor_divide, (between(-50, 50), both(0.1, 9))),
    ("remainder", torch.remainder, (between(-50, 50), both(0.5, 9))),
    ("fmod", torch.fmod, (between(-50, 50), both(0.5, 9))),
    ("copysign", torch.copysign, (both(1e-3, 1e3), both(1e-3, 1e3))),
    ("heaviside", torch.heaviside, (both(1e-3, 1e3), both(1e-3, 1e3))),
]
EDGES = np.array([np.nan, -np.inf, np.inf, -0.0, 0.0, -1, 1, -2, 2, 0.5], np.float32)
LEFT, RIGHT = (x.ravel() for x in np.meshgrid(EDGES, EDGES))
SPECIAL_FORMS = {
    "xlog1py",
    "hypot",
    "logaddexp",
    "logaddexp2",
    "i0",
    "i0e",
    "i1",
    "i1e",
}
"""Of NaN and infinity together, JAX and PyTorch differ there."""
ODD = {"zeta", "gammainc", "gammaincc", "digamma", "gammaln", "sinc", "log_ndtr"}
"""Poles, where only one side is defined."""
OF_NUMPY = {"sign": np.sign, "heaviside": np.heaviside}
"""NaN stays NaN, where PyTorch gives 0."""


def named(op: str, arrays: tuple[Any, ...]) -> dict[str, Any]:
    """The arrays by the names of the op's operands."""
    cls = op_class(op)
    assert cls is not None
    return dict(zip(cls.fields().operands, arrays, strict=True))


def ordered(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **given: function(*given.values())


def smooth() -> Rows:
    for op, function, arrays in SMOOTH:
        yield Row(op, {}, named(op, arrays), ordered(function))


def values() -> Rows:
    for op, function, arrays in VALUES:
        yield Row(op, {}, named(op, arrays), ordered(function), slopes=False)


def edges() -> Rows:
    for op, function, arrays in [*SMOOTH, *VALUES]:
        if op in SPECIAL_FORMS | ODD:
            continue
        given = named(op, (EDGES,) if len(arrays) == 1 else (LEFT, RIGHT))
        if op in OF_NUMPY:
            yield Row(op, {}, given, ordered(OF_NUMPY[op]), "numpy")
        else:
            yield Row(op, {}, given, ordered(function), slopes=False)


TABLES = (smooth, values, edges)
