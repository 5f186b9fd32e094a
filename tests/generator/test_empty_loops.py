"""Loops over nothing: neither carry nor xs."""

from __future__ import annotations

import pytest
from generated_files import assert_same_program
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph


@pytest.mark.parametrize("op", ["scan", "map", "repeat"])
def test_unused_arguments_of_a_body_differ(op: str) -> None:
    node: Data = {"op": op, "function": "f", "inputs": {"x": "x"}}
    node |= {"length": 2} if op == "scan" else {"count": 2}
    body = function({"n": {"op": "relu", "x": "x"}}, "n")
    inputs: Data = {"x": {"shape": [2, 4], "dtype": "float"}}
    graph = Graph.parse(spec({"n": node}, inputs=inputs, functions={"f": body}))
    assert_same_program(graph, bx.generate(graph))
