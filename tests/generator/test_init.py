"""`init_params` of a file makes the arrays of `bx.init`, in every floating type."""

from __future__ import annotations

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from generated_files import executed
from sample_specs import Data, function, spec
from trees import same_structure

import blox as bx
from blox.schema import Graph

SCALE: Data = {"name": "variance_scaling", "scale": 2.0, "mode": "fan_in"}
INITIALIZERS: dict[str, Data] = {
    "zeros": {"name": "zeros"},
    "ones": {"name": "ones"},
    "constant": {"name": "constant", "value": 0.3},
    "normal": {"name": "normal", "stddev": 0.1},
    "truncated": {"name": "truncated_normal"},
    "uniform": {"name": "uniform", "scale": 2.0},
    "scaled": {**SCALE, "distribution": "normal"},
    "scaled_uniform": {**SCALE, "distribution": "uniform"},
    "scaled_truncated": {**SCALE, "distribution": "truncated_normal"},
    "orthogonal": {"name": "orthogonal"},
    "delta": {"name": "delta_orthogonal"},
}


def arrays(*names: str) -> Data:
    """A node with an array for each initialiser, and some of a dtype of their own."""
    nodes: Data = {
        f"w_{name}": {
            "op": "param",
            "shape": [3, 4, 4],
            "init": {"value": INITIALIZERS[name]},
        }
        for name in names
    }
    fixed = {"op": "param", "shape": [4], "dtype": "float16"}
    table = {"op": "buffer", "shape": [4], "dtype": "int32"}
    norm = {"op": "batch_norm", "x": "x", "features": 8}
    return nodes | {"fixed": fixed, "table": table, "norm": norm}


@cache
def model() -> tuple[Graph, Any]:
    """All of them once; some stacked, listed, and stacked in a list."""
    h: Data = {"op": "repeat", "count": 2, "carry": {"x": "x"}}
    inner = h | {"function": "f", "scan": True}
    functions = {
        "f": function(arrays("normal", "orthogonal"), {"x": "norm"}, {"x": {}}),
        "g": function({"inner": inner}, {"x": "inner"}, {"x": {}}),
    }
    nodes: Data = arrays(*INITIALIZERS) | {
        "stacked": inner | {"carry": {"x": "norm"}},
        "listed": h | {"carry": {"x": "stacked"}, "function": "f", "scan": False},
        "both": h | {"carry": {"x": "listed"}, "function": "g", "scan": False},
    }
    graph = Graph.parse(spec(nodes, "both", functions=functions))
    return graph, executed(bx.generate(graph))["init_params"]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_arrays_are_those_of_the_loader(dtype: str) -> None:
    graph, init_params = model()

    @jax.jit
    def both(key: jax.Array) -> tuple[Any, Any]:
        return bx.init(graph, key, dtype=dtype), init_params(key, jnp.dtype(dtype))

    ours, theirs = both(jax.random.key(3))
    assert same_structure(ours, theirs)
    flat = jax.tree_util.tree_leaves_with_path(ours)
    assert len(flat) > 2 * len(INITIALIZERS)
    for (path, a), b in zip(flat, jax.tree.leaves(theirs), strict=True):
        assert a.dtype == b.dtype, path
        np.testing.assert_allclose(
            np.asarray(a, np.float64), np.asarray(b, np.float64), 1e-6, 1e-7, str(path)
        )


def test_widths_that_jax_would_cut_are_refused_by_both() -> None:
    data = spec({"n": {"op": "param", "shape": [2], "dtype": "int64"}}, "n")
    graph = Graph.parse(data)
    init_params = executed(bx.generate(graph))["init_params"]
    with pytest.raises(bx.ModelError, match="n: expected at most 32 bits"):
        bx.init(graph, jax.random.key(0))
    with pytest.raises(ValueError, match="x64"):
        init_params(jax.random.key(0))
    with jax.enable_x64(True):
        ours = bx.init(graph, jax.random.key(0))["n"]
        theirs = init_params(jax.random.key(0))["n"]
    assert ours.dtype == theirs.dtype == "int64"
