"""Rows of the ops of `schema/ops/elementary.py`."""

from __future__ import annotations

import numpy as np
from ops.row import POSITIVE, TORCH, Row, Rows, X, floats, unary

ROWS: Rows = {
    "erf": unary(TORCH),
    "exp": unary(np.exp),
    "expm1": unary(np.expm1),
    "log": unary(np.log, POSITIVE),
    "log1p": unary(np.log1p, POSITIVE),
    "sqrt": unary(np.sqrt, POSITIVE),
    "rsqrt": unary(lambda x: x**-0.5, POSITIVE),
    "square": unary(np.square),
    "sin": unary(np.sin),
    "cos": unary(np.cos),
    "abs": unary(np.abs),
    "sign": unary(np.sign),
    "floor": unary(np.floor),
    "ceil": unary(np.ceil),
    "round": unary(np.round, 3 * X),
    "exp2": unary(np.exp2),
    "log2": unary(np.log2, POSITIVE),
    "log10": unary(np.log10, POSITIVE),
    "cbrt": unary(np.cbrt),
    "reciprocal": floats(unary(np.reciprocal)),
    "tan": unary(np.tan),
    "asin": unary(np.arcsin, X / 4),
    "acos": unary(np.arccos, X / 4),
    "atan": unary(np.arctan),
    "sinh": unary(np.sinh),
    "cosh": unary(np.cosh),
    "asinh": unary(np.arcsinh),
    "acosh": unary(np.arccosh, 1 + POSITIVE),
    "atanh": unary(np.arctanh, X / 4),
    "sinc": [unary(np.sinc), Row({}, (np.zeros(2, np.float32),), reference=np.sinc)],
    "deg2rad": unary(np.deg2rad, 90 * X),
    "rad2deg": unary(np.rad2deg),
    "trunc": unary(np.trunc, 3 * X),
    "modf": unary(np.modf, 3 * X),
    "frexp": unary(np.frexp, 3 * X),
    "nan_to_num": [
        Row(
            {"nan": 2.0, "posinf": 4.0},
            (np.array([1j, np.nan + 1j, complex(3, np.inf)], np.complex64),),
            reference=lambda x: [1j, 2 + 1j, 3 + 4j],
            grad=False,
        ),
        Row(
            {"nan": 2.0, "neginf": -3.0},
            (np.array([1, np.inf, -np.inf, np.nan], np.float32),),
            reference=lambda x: [1, np.finfo(np.float32).max, -3, 2],
            grad=False,
        ),
        unary(lambda x: x),
    ],
    "reduce_precision": Row(
        {"exponent_bits": 5, "mantissa_bits": 10},
        (X,),
        reference=lambda x: x.astype(np.float16),
        grad=False,
        integers=False,
    ),
}
