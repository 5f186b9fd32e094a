"""Rows of the ops of `schema/ops/norm.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.row import (
    IMAGE,
    Row,
    Rows,
    X,
    numbers,
    standardized,
)

normal = numbers(5)
_affine = {"scale": normal(4), "bias": normal(4)}


def _batch_standardized(x: Any) -> Any:
    mean, var = x.mean((0, 1)), x.var((0, 1))
    return (x - mean) / np.sqrt(var + 1e-5)


ROWS: Rows = {
    "layer_norm": [
        Row(
            {"features": 4},
            (X,),
            _affine,
            lambda x, scale, bias: standardized(x, 1e-5) * scale + bias,
        ),
        Row(
            {"features": 4, "use_scale": False, "use_bias": False},
            (X,),
            reference=lambda x: standardized(x, 1e-5),
        ),
        Row(
            {"features": 4, "use_bias": False},
            (X,),
            reference=lambda x, scale: standardized(x, 1e-5) * scale,
        ),
    ],
    "rms_norm": Row(
        {"features": 4, "eps": 1e-6},
        (X,),
        {"scale": normal(4)},
        lambda x, scale: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * scale,
    ),
    "batch_norm": [
        Row(
            {"features": 4},
            (IMAGE,),
            _affine | {"mean": np.zeros(4, np.float32), "var": np.ones(4, np.float32)},
            lead=False,
        ),
        Row(
            {"features": 4, "unbiased": True, "use_bias": False},
            (IMAGE,),
            reference=lambda x, scale, mean, var: _batch_standardized(x) * scale,
            lead=False,
        ),
        Row(
            {"features": 4, "use_scale": False},
            (IMAGE,),
            reference=lambda x, bias, mean, var: _batch_standardized(x) + bias,
            lead=False,
        ),
    ],
}
