"""Outputs that began as numbers of the spec or of the caller: arrays in file and loader."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from generated_files import assert_same_program, executed
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph

X: Data = {"shape": ["batch", 4], "dtype": "float"}
TWO: Data = {"x": {}, "s": {}}
PASSED = function({}, {"x": "x", "s": "s"}, TWO)
COMPUTED = function(
    {"n": {"op": "add", "a": "s", "b": 1.0}, "m": {"op": "multiply", "a": "n", "b": 2}},
    {"x": "x", "s": "m"},
    TWO,
)
THROUGH = function(
    {"c": {"op": "call", "function": "inner", "inputs": {"x": "x", "s": "s"}}},
    {"x": "c.x", "s": "c.s"},
    TWO,
)
UNROLLED: Data = {
    "op": "repeat", "function": "f", "count": 2, "scan": False,
    "carry": {"x": "x"}, "inputs": {"s": 1.5},
}  # fmt: skip
CALL: Data = {"op": "call", "function": "f", "inputs": {"x": "x", "s": 1.5}}
CASES: dict[str, tuple[Data, dict[str, Data]]] = {
    "passed": (CALL, {"f": PASSED}),
    "computed": (CALL, {"f": COMPUTED}),
    "through": (CALL, {"f": THROUGH, "inner": COMPUTED}),
    "unrolled": (UNROLLED, {"f": PASSED}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_number_that_comes_out_is_an_array(case: str) -> None:
    node, functions = CASES[case]
    data = spec(
        {"c": node}, {"y": "c.x", "t": "c.s"}, inputs={"x": X}, functions=functions
    )
    graph = Graph.parse(data)
    source = bx.generate(graph)
    assert_same_program(graph, source)
    found = executed(source)[graph.name]({}, jnp.ones((2, 4)))
    ours, _ = bx.build(graph)({}, jnp.ones((2, 4)))
    for name, value in ours.items():
        assert isinstance(found[name], jax.Array), (case, name)
        assert found[name].dtype == value.dtype
        assert bool((found[name] == value).all())


def test_an_input_that_comes_out_is_an_array() -> None:
    graph = Graph.parse(
        spec(
            {"y": {"op": "multiply", "a": "x", "b": "s"}},
            {"y": "y", "s": "s"},
            inputs={"x": X, "s": {"shape": [], "dtype": "float"}},
        )
    )
    found = executed(bx.generate(graph))[graph.name]({}, jnp.ones((2, 4)), 2.0)
    assert isinstance(found["s"], jax.Array)
