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
    graph: bx.Graph
    graph, placed, origin = bx.from_jax(function, inputs, params, name="model")
    found, _ = jax.jit(bx.build(graph))(placed, *arrays)
    wanted = jax.jit(function)(params, *arrays)
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)
    back = origin.export(placed)
    jax.tree.map(np.testing.assert_array_equal, back, params)
    return graph


def check_sizes(
    function: Callable[..., Any],
    params: Any,
    inputs: Mapping[str, bx.Input],
    *sizes: Mapping[str, int],
) -> bx.Graph:
    """The Graph of a function that gives a dict of arrays, which gives the same numbers at
    all of these sizes: of normal arrays, and of integers from -2 to 1."""
    given = {} if params is None else params
    graph: bx.Graph
    graph, placed, _ = bx.from_jax(function, inputs, given, name="model", check=False)
    built, source = jax.jit(bx.build(graph)), jax.jit(function)
    rng = np.random.default_rng(0)
    for size in sizes:
        arrays = []
        for declared in inputs.values():
            shape = [size[n] if isinstance(n, str) else n for n in declared.shape]
            whole = "int" in declared.dtype
            array = rng.integers(-2, 2, shape) if whole else rng.normal(size=shape)
            arrays.append(jax.numpy.asarray(array, "int32" if whole else "float32"))
        found = built(placed, *arrays)[0]
        each = found if isinstance(found, dict) else {}
        for name, wanted in source(given, *arrays).items():
            np.testing.assert_allclose(
                each.get(name, found),
                wanted,
                rtol=2e-5,
                atol=2e-5,
                err_msg=f"{name} at {size}",
            )
    return graph


def body(graph: bx.Graph, name: str = "main") -> dict[str, Any]:
    """The nodes of a function, by name."""
    found: dict[str, Any] = graph.plain()["functions"][name]["nodes"]
    return found


def ops(graph: bx.Graph) -> list[str]:
    """The ops of all functions, in order."""
    functions = graph.plain()["functions"].values()
    return [node["op"] for f in functions for node in f["nodes"].values()]
