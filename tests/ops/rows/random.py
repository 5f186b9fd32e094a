"""Rows of the ops of `schema/ops/random.py`."""

from __future__ import annotations

import jax
import numpy as np
from ops.row import (
    KEY,
    Row,
    Rows,
    X,
    numbers,
    unary,
)

normal = numbers(13)

ROWS: Rows = {
    "rng": Row(
        {},
        (),
        {"key_data": jax.random.key_data(KEY), "count": np.uint32(5)},
        lambda key_data, count: jax.random.key_data(jax.random.fold_in(KEY, 5)),
        grad=False,
    ),
    "dropout": [
        Row(
            {"rate": 0.25, "broadcast_dims": [-1]},
            (X, KEY),
            reference=lambda x, key: (
                x * np.asarray(jax.random.bernoulli(key, 0.75, (3, 1))) / 0.75
            ),
            lead=False,
        ),
        unary(lambda x: x, rate=0.5),
        Row({"rate": 0.0}, (X, KEY), reference=lambda x, key: x, lead=(0,)),
        Row(
            {"rate": 0.5},
            (X, KEY),
            reference=lambda x, key: (
                2 * x * np.asarray(jax.random.bernoulli(key, 0.5, (3, 4)))
            ),
            lead=False,
        ),
    ],
    "random_normal": [
        Row(
            {"shape": [2, 3], "dtype": "float"},
            (KEY,),
            reference=lambda key: jax.random.normal(key, (2, 3), np.float32),
            lead=False,
        ),
        Row(
            {"shape": [], "dtype": "float32"},
            (KEY,),
            reference=lambda key: jax.random.normal(key, (), np.float32),
            lead=False,
        ),
    ],
    "random_uniform": Row(
        {"shape": [2, 3], "dtype": "float", "minval": 2.0, "maxval": 4.0},
        (KEY,),
        reference=lambda key: 2 + 2 * jax.random.uniform(key, (2, 3), np.float32),
        lead=False,
    ),
    "bernoulli": Row(
        {"shape": [2, 3], "p": 0.25},
        (KEY,),
        reference=lambda key: jax.random.uniform(key, (2, 3)) < 0.25,
        lead=False,
    ),
}
