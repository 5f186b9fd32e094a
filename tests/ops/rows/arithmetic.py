"""Rows of the ops of `schema/ops/arithmetic.py`."""

from __future__ import annotations

import numpy as np
from ops.row import (
    INTS,
    POSITIVE,
    Row,
    Rows,
    X,
    binary,
    numbers,
    unary,
)

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
}
