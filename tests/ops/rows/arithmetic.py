"""Rows of the ops of `schema/ops/arithmetic.py`."""

from __future__ import annotations

import numpy as np
from ops.row import INTS, POSITIVE, Row, Rows, X, Y, binary, numbers, unary

normal = numbers(2)

ROWS: Rows = {
    "negative": [
        unary(np.negative),
    ],
    "stop_gradient": Row({}, (X,), reference=lambda x: x, grad=False),
    "add": [
        binary(np.add),
        Row({}, (X, 2), reference=np.add, lead=(0,)),
    ],
    "subtract": [
        binary(np.subtract),
        Row({}, (2.0, X), reference=np.subtract, lead=(1,)),
    ],
    "multiply": binary(np.multiply),
    "divide": binary(np.divide, b=POSITIVE),
    "floor_divide": binary(np.floor_divide, INTS - 2, INTS + 2),
    "remainder": binary(np.remainder, INTS - 2, INTS + 2),
    "power": [
        binary(np.power, POSITIVE, integers=False),
        Row({}, (X, 2), reference=np.power, lead=(0,)),
        Row(
            {},
            (-2.0, INTS.astype(np.float32)),
            reference=np.power,
            lead=(1,),
            grad=False,
        ),
    ],
    "maximum": binary(np.maximum),
    "minimum": [
        binary(np.minimum),
        Row({}, (X, 0), reference=np.minimum, lead=(0,)),
    ],
    "matmul": binary(np.matmul, b=normal(4, 5)),
    "clip": [
        Row({}, (X, None, 0.5 * POSITIVE), reference=lambda x, a, b: np.fmin(x, b)),
        Row({}, (X, -1.0, None), reference=lambda x, a, b: np.fmax(x, a), lead=(0,)),
        Row({}, (X, -1, 1), reference=np.clip, lead=(0,)),
    ],
    "einsum": Row(
        {"equation": "...ij,...jk->...ki"},
        ((X, normal(4, 5)),),
        reference=lambda xs: (xs[0] @ xs[1]).T,
    ),
    "fmax": binary(np.fmax),
    "fmin": binary(np.fmin, np.array([2, np.nan], np.float32), np.ones(2, np.float32)),
    "trunc_divide": [
        binary(lambda a, b: np.trunc(a / b), 3 * INTS - 4, INTS + 2),
        binary(lambda a, b: np.trunc(a / b), 3 * X, POSITIVE),
        Row({}, (INTS - 2, 2), reference=lambda a, b: np.trunc(a / b), lead=(0,)),
    ],
    "fmod": [
        binary(np.fmod, 3 * INTS - 4, INTS + 2),
        binary(np.fmod, 3 * X, POSITIVE),
    ],
    "float_power": [
        binary(np.float_power, INTS + 1, INTS - 2),
        binary(np.float_power, POSITIVE),
    ],
    "atan2": binary(np.arctan2),
    "hypot": [binary(np.hypot), Row({}, (X, 2), reference=np.hypot, lead=(0,))],
    "logaddexp": binary(np.logaddexp),
    "logaddexp2": binary(np.logaddexp2),
    "copysign": binary(np.copysign),
    "nextafter": Row(
        {},
        (X, Y),
        reference=lambda a, b: np.nextafter(a.astype("f"), b.astype("f")),
        grad=False,
        integers=False,
    ),
    "heaviside": binary(np.heaviside),
    "ldexp": binary(lambda a, b: a * 2.0**b, X, INTS - 2),
    "gcd": binary(np.gcd, 6 * INTS, 4 * INTS[::-1]),
    "lcm": binary(np.lcm, 6 * INTS, 4 * INTS[::-1]),
}
