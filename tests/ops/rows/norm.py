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
    unary,
)

normal = numbers(5)
_affine = {"scale": normal(4), "bias": normal(4)}


def _batch_standardized(x: Any) -> Any:
    mean, var = x.mean((0, 1)), x.var((0, 1))
    return (x - mean) / np.sqrt(var + 1e-5)


def _over(x: Any, axes: tuple[int, ...]) -> Any:
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return (x - mean) / np.sqrt(var + 1e-5)


def _by_groups(x: Any, groups: int, axes: tuple[int, ...]) -> Any:
    return _over(x.reshape(*x.shape[:-1], groups, -1), axes).reshape(x.shape)


def _spectral(x: Any, u: Any, iterations: int) -> Any:
    w = x.reshape(-1, x.shape[-1])
    for _ in range(iterations):
        v = w @ u / np.linalg.norm(w @ u)
        u = v @ w / np.linalg.norm(v @ w)
    v = w @ u / np.linalg.norm(w @ u)
    return x / (v @ w @ u)


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
        Row(
            {"features": [6, 4], "use_bias": False},
            (IMAGE,),
            reference=lambda x, scale: _over(x, (1, 2)) * scale,
        ),
    ],
    "rms_norm": [
        Row(
            {"features": 4, "eps": 1e-6},
            (X,),
            {"scale": normal(4)},
            lambda x, scale: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * scale,
        ),
        Row(
            {"features": [6, 4]},
            (IMAGE,),
            reference=lambda x, scale: (
                x / np.sqrt((x**2).mean((1, 2), keepdims=True) + 1e-6) * scale
            ),
        ),
    ],
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
    "group_norm": [
        Row(
            {"features": 4, "groups": 2, "spatial_axes": 2},
            (IMAGE,),
            _affine,
            lambda x, scale, bias: _by_groups(x, 2, (0, 1, -1)) * scale + bias,
        ),
        Row(
            {"features": 4, "groups": 2, "spatial_axes": 0, "use_bias": False},
            (IMAGE,),
            reference=lambda x, scale: _by_groups(x, 2, (-1,)) * scale,
        ),
    ],
    "instance_norm": [
        Row(
            {"features": 4, "spatial_axes": 2},
            (IMAGE,),
            _affine,
            lambda x, scale, bias: _over(x, (0, 1)) * scale + bias,
        ),
        Row(
            {"features": 4, "spatial_axes": 1, "use_scale": False, "use_bias": False},
            (IMAGE,),
            reference=lambda x: _over(x, (1,)),
        ),
    ],
    "l2_normalize": [
        unary(lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True)),
        unary(lambda x: x / np.linalg.norm(x), axis=[-1, -2]),
        unary(lambda x: x / 100, eps=100.0),
    ],
    "weight_norm": Row(
        {"features": 4},
        (IMAGE,),
        {"scale": normal(4)},
        lambda x, scale: scale * x / np.sqrt((x**2).sum((0, 1))),
        lead=False,
    ),
    "spectral_norm": Row(
        {"features": 4, "iterations": 2},
        (IMAGE,),
        {"u": normal(4)},
        lambda x, u: _spectral(x, u, 2),
        lead=False,
        grad=False,  # none goes through u and v
    ),
}
