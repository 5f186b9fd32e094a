"""`init_params` of generated files: what `bx.init` does."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from generated_files import executed
from generator.array_cases import (
    CASES,
    KEY,
    X,
    assert_equal,
    file_of,
    graph_of,
    linear,
    repeat,
)
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph


@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        *((c, "float32") for c in CASES),
        *(("drawing", dtype) for dtype in ("bfloat16", "float16")),
        ("at_the_root", "bfloat16"),
    ],
)
def test_new_parameters_are_those_of_init(case: str, dtype: str) -> None:
    graph, names = graph_of(case), file_of(case)
    orders: list[list[str]] = []

    def ordered(params: Any) -> Any:
        orders.append(list(params))
        return params

    ours = jax.jit(lambda key: ordered(bx.init(graph, key, dtype=dtype)))(KEY)
    theirs = jax.jit(lambda key: ordered(names["init_params"](key, dtype)))(KEY)
    assert_equal(ours, theirs)
    assert orders[0] == orders[1]


COUNTED: Data = {
    "op": "buffer", "shape": [2], "dtype": "int64", "init": {"value": {"name": "zeros"}}
}  # fmt: skip


def test_wide_dtypes_are_refused_without_x64_and_equal_with_it() -> None:
    graph = Graph.parse(spec({"n": COUNTED, "y": linear()}, inputs=X))
    names = executed(bx.generate(graph))
    with pytest.raises(bx.ModelError, match="at most 32 bits"):
        bx.init(graph, KEY)
    with pytest.raises(
        ValueError, match="n: expected at most 32 bits a value, found int64"
    ):
        names["init_params"](KEY)
    with pytest.raises(ValueError, match=r"expected a floating dtype .*float64"):
        file_of("plain")["init_params"](KEY, jnp.float64)
    with jax.enable_x64(True):
        for dtype in ("float32", "float64"):
            ours = jax.jit(lambda key, d=dtype: bx.init(graph, key, dtype=d))(KEY)
            theirs = jax.jit(lambda key, d=dtype: names["init_params"](key, d))(KEY)
            assert_equal(ours, theirs)


def test_a_dtype_that_is_no_float_is_refused() -> None:
    with pytest.raises(bx.ModelError):
        bx.init(graph_of("plain"), KEY, dtype="int32")
    with pytest.raises(ValueError, match=r"expected a floating dtype .*found int32"):
        file_of("plain")["init_params"](KEY, "int32")


def test_helpers_of_the_tail_make_room_for_names_of_the_graph() -> None:
    functions = {
        name: function({"up": linear()}, {"x": "up"})
        for name in ("entry", "draw", "stored_arrays", "joined", "in_float32")
    }
    nodes: Data = {}
    last = "x"
    for name in functions:
        nodes[f"call_{name}"] = {"op": "call", "function": name, "inputs": [last]}
        last = f"call_{name}"
    nodes["h"] = repeat("entry", True) | {"carry": {"x": last}}
    graph = Graph.parse(spec(nodes, inputs=X, functions=functions))
    names = executed(bx.generate(graph))
    assert_equal(
        jax.jit(lambda key: bx.init(graph, key))(KEY),
        jax.jit(names["init_params"])(KEY),
    )
