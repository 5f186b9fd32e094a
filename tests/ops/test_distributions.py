"""Ops of random numbers have the moments that SciPy has of their distributions."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from scipy import stats

from blox.ops import distributions as ops

KEY = jax.random.key(11)
MANY = 40_000


def full(value: float) -> Any:
    return jax.numpy.full((MANY,), value, "float32")


DRAWS: dict[str, Any] = {
    "gamma": lambda: jax.random.gamma(KEY, full(2.5)),
    "poisson": lambda: jax.random.poisson(KEY, full(3.5)),
}
"""Those that are JAX's to the last digit; it compiles them once for both."""
CASES: dict[str, tuple[Any, Any]] = {
    "exponential": (lambda: ops.exponential(KEY, (MANY,)), stats.expon()),
    "laplace": (lambda: ops.laplace(KEY, (MANY,)), stats.laplace()),
    "gamma": (lambda: ops.random_gamma(KEY, full(2.5)), stats.gamma(2.5)),
    "poisson": (lambda: ops.poisson(KEY, full(3.5)), stats.poisson(3.5)),
}


@pytest.mark.parametrize("name", CASES)
def test_moments(name: str) -> None:
    draw, wanted = CASES[name]
    found = np.asarray(draw())
    spread = wanted.std()
    assert abs(found.mean() - wanted.mean()) < 5 * spread / MANY**0.5
    assert found.std() == pytest.approx(spread, rel=0.03)
    if name in DRAWS:
        np.testing.assert_array_equal(found, DRAWS[name]())
