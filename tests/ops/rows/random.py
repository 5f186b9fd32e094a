"""Rows of the ops of `schema/ops/random.py`."""

from __future__ import annotations

from typing import Any

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
from scipy.special import ndtr, ndtri

normal = numbers(13)
_TINY = np.finfo(np.float32).tiny


def _between(key: Any, lower: float, upper: float, shape: Any) -> Any:
    """By the inverse of the distribution, of the uniform numbers that JAX draws."""
    a, b = ndtr(lower), ndtr(upper)
    ends = (2 * a - 1, 2 * b - 1)
    return ndtri(
        (1 + np.asarray(jax.random.uniform(key, shape, minval=ends[0], maxval=ends[1])))
        / 2
    )


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
            heavy=True,
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
            heavy=True,
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
    "categorical": [
        Row(
            {},
            (KEY, X),
            reference=lambda key, x: np.argmax(
                x + np.asarray(jax.random.gumbel(key, (3, 4))), -1
            ),
            lead=False,
            heavy=True,
        ),
        Row(
            {"axis": 0},
            (KEY, np.where(np.eye(3) > 0, 0, -np.inf).astype(np.float32)),
            reference=lambda key, x: np.arange(3),
            lead=False,
        ),
    ],
    "permutation": [
        Row(
            {"axis": -1},
            (KEY, X),
            reference=lambda key, x: x[:, np.asarray(jax.random.permutation(key, 4))],
            lead=(1,),
            heavy=True,
        ),
        Row(
            {"independent": True},
            (KEY, X),
            reference=lambda key, x: jax.random.permutation(key, x, independent=True),
            lead=False,
            rare=True,
        ),
    ],
    "truncated_normal": Row(
        {"shape": [2, 3], "dtype": "float", "lower": -1.0, "upper": 2.0},
        (KEY,),
        reference=lambda key: _between(key, -1, 2, (2, 3)),
        lead=False,
    ),
    "randint": Row(
        {"shape": [2, 3], "minval": -4, "maxval": 5},
        (KEY,),
        reference=lambda key: jax.random.randint(key, (2, 3), 0, 9) - 4,
        lead=False,
        heavy=True,
    ),
    "gumbel": Row(
        {"shape": [2, 3], "dtype": "float"},
        (KEY,),
        reference=lambda key: (
            -np.log(-np.log(jax.random.uniform(key, (2, 3), minval=_TINY)))
        ),
        lead=False,
    ),
    "stochastic_depth": [
        Row(
            {"axis": [-1]},
            (X, np.float32(0.25), KEY),
            reference=lambda x, rate, key: (
                x * np.asarray(jax.random.bernoulli(key, 0.75, (1, 4))) / 0.75
            ),
            lead=(0,),
            heavy=True,
        ),
        Row({}, (X, 0.5), reference=lambda x, rate: x, lead=(0,)),
        Row(
            {},
            (X, 0.5, KEY),
            reference=lambda x, rate, key: (
                2 * x * np.asarray(jax.random.bernoulli(key, 0.5, (3, 1)))
            ),
            lead=False,
        ),
    ],
}
