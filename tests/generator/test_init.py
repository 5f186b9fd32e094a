"""Every initialiser in a file gives the arrays of `bx.init`, in 16 bits too."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from generated_files import executed
from sample_specs import Data, spec
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
    "in_two": {**SCALE, "distribution": "normal", "in_axis": [0, 1], "out_axis": 2},
    "side_by_side": {**SCALE, "distribution": "normal", "batch_axis": 0},
    "between": {"name": "random_uniform", "minval": -0.5, "maxval": 1.5},
    "logs": {"name": "progression", "start": 1.0, "of": "log"},
    "rows": {"name": "progression", "step": -0.5, "axis": 1},
    "orthogonal": {"name": "orthogonal"},
    "delta": {"name": "delta_orthogonal"},
}


def test_arrays_of_16_bits_are_those_of_the_loader() -> None:
    nodes: Data = {
        name: {"op": "param", "shape": [3, 4, 4], "init": {"value": init}}
        for name, init in INITIALIZERS.items()
    }
    nodes |= {
        "fixed": {"op": "param", "shape": [4], "dtype": "float16"},
        "table": {"op": "buffer", "shape": [4], "dtype": "int32"},
        "norm": {"op": "batch_norm", "x": "x", "features": 8},
    }
    graph = Graph.parse(spec(nodes, "norm"))
    init_params = executed(bx.generate(graph))["init_params"]

    @jax.jit
    def both(key: jax.Array) -> tuple[Any, Any]:
        return bx.init(graph, key, dtype="bfloat16"), init_params(key, jnp.bfloat16)

    ours, theirs = both(jax.random.key(3))
    assert same_structure(ours, theirs)
    flat = jax.tree_util.tree_leaves_with_path(ours)
    assert len(flat) > len(INITIALIZERS)
    for (path, a), b in zip(flat, jax.tree.leaves(theirs), strict=True):
        assert a.dtype == b.dtype, path
        np.testing.assert_array_equal(a, b, str(path))
    assert ours["orthogonal"].dtype == ours["norm"]["scale"].dtype == jnp.bfloat16
    assert (ours["fixed"].dtype, ours["table"].dtype) == ("float16", "int32")
