"""Nodes run in scopes of their names, so that a profile speaks of the model."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import pytest
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph

RELU: Data = {"op": "tanh", "x": "x"}
INNER = function({"act": RELU}, {"x": "act"}, {"x": {}})
OUTER = function(
    {"inner": {"op": "call", "function": "inner", "inputs": ["x"]}},
    {"x": "inner"},
    {"x": {}},
)
REPEAT: Data = {"op": "repeat", "function": "outer", "count": 2, "carry": {"x": "x"}}


def scopes(node: Data) -> set[str]:
    """The paths of the `tanh` in the compiled program, which a profile shows."""
    data = spec({"n": node}, "n", functions={"inner": INNER, "outer": OUTER})
    graph = Graph.parse(data)
    params = jax.eval_shape(lambda: bx.init(graph, jax.random.key(0)))
    x = jax.ShapeDtypeStruct((2, 8), jnp.float32)
    text = jax.jit(bx.build(graph)).lower(params, x).compile().as_text() or ""
    found = re.findall(r'op_name="jit\(\w+\)/([^"]*/act)/tanh"', text)
    assert found, text
    return set(found)


@pytest.mark.parametrize(
    ("node", "paths"),
    [
        ({"op": "call", "function": "inner", "inputs": ["x"]}, {"n/act"}),
        ({"op": "call", "function": "outer", "inputs": ["x"]}, {"n/inner/act"}),
        (REPEAT | {"scan": False}, {"n/0/inner/act", "n/1/inner/act"}),
    ],
)
def test_scopes_are_the_paths_of_nodes(node: Data, paths: set[str]) -> None:
    assert scopes(node) == paths


def test_scanned_copies_are_one_scope() -> None:
    (path,) = scopes(REPEAT | {"scan": True})
    assert path.startswith("n/")
    assert path.endswith("/inner/act")
