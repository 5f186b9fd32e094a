"""Rows of the ops of `schema/ops/elementary.py`."""

from __future__ import annotations

import numpy as np
from ops.row import (
    POSITIVE,
    TORCH,
    Rows,
    X,
    unary,
)

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
}
