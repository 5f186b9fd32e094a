"""Loops over nothing: neither carry nor xs."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from generated_files import assert_same_program
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph
from blox.schema.resolve.resolver import validate


@pytest.mark.parametrize("op", ["scan", "map", "repeat"])
def test_unused_arguments_of_a_body_differ(op: str) -> None:
    node: Data = {"op": op, "function": "f", "inputs": {"x": "x"}}
    node |= {"length": 2} if op == "scan" else {"count": 2}
    body = function({"n": {"op": "relu", "x": "x"}}, "n")
    inputs: Data = {"x": {"shape": [2, 4], "dtype": "float"}}
    graph = Graph.parse(spec({"n": node}, inputs=inputs, functions={"f": body}))
    assert_same_program(graph, bx.generate(graph))


@pytest.mark.parametrize("scan", [True, False])
def test_what_only_a_loop_without_copies_takes_is_not_computed(scan: bool) -> None:
    node: Data = {"op": "repeat", "function": "f", "count": 0, "scan": scan}
    node |= {"carry": {"x": "x", "y": "first"}, "inputs": {"by": "second"}}
    body = function(
        {"n": {"op": "add", "a": "x", "b": "by"}},
        {"x": "n", "y": "y"},
        {"x": {}, "y": {}, "by": {}},
    )
    nodes: Data = {
        "first": {"op": "exp", "x": "x"},
        "second": {"op": "default", "x": "maybe", "default": 1.5},
        "n": node,
    }
    inputs: Data = {"x": {"shape": [2, 4], "dtype": "float"}}
    inputs["maybe"] = {"shape": [4], "dtype": "float", "optional": True}
    graph = Graph.parse(spec(nodes, "n.x", inputs=inputs, functions={"f": body}))
    source = bx.generate(graph)
    assert "default(" not in source
    assert "exp(" not in source
    assert_same_program(graph, source)
    assert "exp" not in str(jax.make_jaxpr(bx.build(graph))({}, jnp.ones((2, 4))))
    assert "unused-node" not in str(validate(graph))
