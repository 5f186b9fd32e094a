"""Functions imported in tests, and compared with what was made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

import blox as bx


def check(
    function: Callable[..., Any],
    params: Any,
    inputs: Mapping[str, bx.Input],
    *arrays: Any,
) -> bx.Graph:
    """The Graph of a function, which gives the same numbers as it."""
    graph, placed, origin = bx.from_jax(function, inputs, params, name="model")
    found, _ = bx.build(graph)(placed, *arrays)
    wanted = function(params, *arrays)
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)
    back = origin.export(placed)
    jax.tree.map(np.testing.assert_array_equal, back, params)
    return graph
