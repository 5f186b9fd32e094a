"""Rows of the ops of `schema/ops/distributions.py`."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from ops.row import KEY, POSITIVE, Row, Rows

U = np.asarray(jax.random.uniform(KEY, (2, 3)))


def _laplace(key: Any) -> Any:
    """By the inverse of the distribution, of the uniform numbers that JAX draws."""
    u = np.asarray(jax.random.uniform(key, (2, 3), minval=-1 + 2.0**-24))
    return np.sign(u) * np.log1p(-np.abs(u))


ROWS: Rows = {
    "exponential": Row(
        {"shape": [2, 3], "dtype": "float"},
        (KEY,),
        reference=lambda key: -np.log1p(-U),
        lead=False,
    ),
    "laplace": Row(
        {"shape": [2, 3], "dtype": "float"},
        (KEY,),
        reference=_laplace,
        lead=False,
    ),
    # Draws are held to JAX's, the distributions to their moments in test_distributions.
    "random_gamma": Row(
        {},
        (KEY, 3 * POSITIVE),
        reference=lambda key, a: jax.random.gamma(KEY, 3 * POSITIVE),
        lead=False,
        grad=False,
        heavy=True,
        rare=True,
    ),
    "poisson": Row(
        {},
        (KEY, 3 * POSITIVE),
        reference=lambda key, rate: jax.random.poisson(KEY, 3 * POSITIVE),
        lead=False,
        grad=False,
        heavy=True,
        rare=True,
    ),
}
