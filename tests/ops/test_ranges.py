"""Functions of numbers over their whole domain, against SciPy and NumPy in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ops.calling import call, node
from scipy import special

from blox.schema import op_class

RANDOM = np.random.default_rng(31)


def between(low: float, high: float) -> Any:
    """Numbers of a range, its ends among them."""
    inner = RANDOM.uniform(low, high, 998)
    return np.array([low, *inner, high]).astype(np.float32)


def beyond(low: float, high: float) -> Any:
    """Positive numbers of all magnitudes in a range."""
    inner = np.exp(RANDOM.uniform(np.log(low), np.log(high), 998))
    return np.array([low, *inner, high]).astype(np.float32)


FAR = np.concatenate([-beyond(1e-30, 1e30), beyond(1e-30, 1e30)])
CASES: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = [
    ("exp2", np.exp2, (between(-120, 120),)),
    ("log2", np.log2, (beyond(1e-30, 1e30),)),
    ("log10", np.log10, (beyond(1e-30, 1e30),)),
    ("cbrt", np.cbrt, (FAR,)),
    ("reciprocal", np.reciprocal, (FAR,)),
    ("tan", np.tan, (between(-1.5, 1.5),)),
    ("asin", np.arcsin, (between(-1, 1),)),
    ("acos", np.arccos, (between(-1, 0.99),)),
    ("atan", np.arctan, (FAR,)),
    ("sinh", np.sinh, (between(-80, 80),)),
    ("cosh", np.cosh, (between(-80, 80),)),
    ("asinh", np.arcsinh, (FAR,)),
    ("acosh", np.arccosh, (1 + beyond(1e-2, 1e30),)),
    ("atanh", np.arctanh, (between(-0.99, 0.99),)),
    ("atan2", np.arctan2, (FAR, RANDOM.permutation(FAR))),
    ("hypot", np.hypot, (FAR, RANDOM.permutation(FAR))),
    ("logaddexp", np.logaddexp, (between(-90, 90), between(-90, 90))),
    ("erfc", special.erfc, (between(-4, 9),)),
    ("erf_inv", special.erfinv, (between(-0.999, 0.999),)),
    ("i0", special.i0, (between(-60, 60),)),
    ("i0e", special.i0e, (FAR,)),
    ("i1e", special.i1e, (FAR,)),
    ("ndtr", special.ndtr, (between(-10, 10),)),
    ("ndtri", special.ndtri, (between(1e-6, 0.999),)),
    ("log_ndtr", special.log_ndtr, (between(-100, 5),)),
    ("logit", special.logit, (between(1e-3, 0.999),)),
    ("gammaln", special.gammaln, (beyond(1e-20, 1e20),)),
    ("digamma", special.digamma, (beyond(1e-10, 1e10),)),
    ("gamma", special.gamma, (between(0.1, 20),)),
    ("gammainc", special.gammainc, (beyond(0.1, 50), beyond(0.1, 50))),
    ("gammaincc", special.gammaincc, (beyond(0.1, 50), beyond(0.1, 50))),
    ("betaln", special.betaln, (beyond(0.1, 50), beyond(0.1, 50))),
    ("betainc", special.betainc, (beyond(0.1, 20), beyond(0.1, 20), between(0, 1))),
    ("zeta", special.zeta, (between(1.5, 20), between(0.5, 20))),
    ("xlogy", special.xlogy, (FAR, beyond(1e-30, 1e30)[:1].repeat(2000))),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "wanted", "operands"), CASES, ids=[c[0] for c in CASES]
)
def test_as_scipy(
    name: str, wanted: Callable[..., Any], operands: tuple[Any, ...]
) -> None:
    """1e-5 of the value, or of 1 for values near 0."""
    assert op_class(name) is not None
    found = jax.jit(lambda *x: call(node(name, {}, operands), x, {}))(*operands)
    wide = wanted(*(x.astype(np.float64) for x in operands))
    assert jnp.isfinite(found).all()
    np.testing.assert_allclose(found, wide, 1e-5, 1e-5)
