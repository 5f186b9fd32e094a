"""Names that users know stay what they are: the file renames its own."""

from __future__ import annotations

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from generated_files import assert_same_program, executed, inputs_of
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph

LINEAR: Data = {"op": "linear", "x": "x", "in_features": 4, "out_features": 4}
X: Data = {"shape": [3, 4], "dtype": "float"}


def masked() -> Data:
    """An input with the name of the op that makes another mask, and of other ops."""
    inputs: Data = {
        "x": X,
        "layer_norm": {"shape": [3, 4], "dtype": "float"},
        "attention_mask": {"shape": [3], "dtype": "int32"},
        "linear": {"shape": [3, 4], "dtype": "float", "optional": True},
    }
    nodes: Data = {
        "positions": {"op": "arange", "stop": 3},
        "mask": {
            "op": "attention_mask", "query_positions": "positions",
            "key_positions": "positions", "padding": "attention_mask", "causal": True,
        },
        "norm": {"op": "layer_norm", "x": "layer_norm", "features": 4},
        "both": {"op": "add", "a": LINEAR["x"], "b": "norm"},
        "more": {"op": "default", "x": "linear", "default": "both"},
        "lin": LINEAR | {"x": "more"},
        "biased": {"op": "where", "condition": "mask", "a": 0.0, "b": -1.0},
    }  # fmt: skip
    return spec(nodes, inputs=inputs, outputs={"y": "lin", "bias": "biased"})


def hidden() -> Data:
    """Arguments with the names of functions that are called beside them."""
    inner = function({"linear": LINEAR}, "linear")
    scaled = function(
        {
            "call": {"op": "call", "function": "inner", "inputs": ["x"]},
            "by": {"op": "multiply", "a": "call", "b": "$inner"},
            "add": {"op": "add", "a": "by", "b": "other"},
        },
        "add",
        {"x": {}, "other": {}},
        attributes=["inner"],
    )
    other = function({"relu": {"op": "relu", "x": "x"}}, "relu", {"x": X})
    nodes: Data = {
        "a": {"op": "call", "function": "inner", "inputs": ["inner"]},
        "b": {"op": "call", "function": "other", "inputs": ["a"]},
        "c": {"op": "add", "a": "b", "b": "other"},
        "d": {
            "op": "call", "function": "scaled", "inputs": ["c", "x"],
            "attributes": {"inner": 2},
        },
        "e": {
            "op": "call", "function": "scaled", "inputs": ["d", "x"],
            "attributes": {"inner": 3},
        },
    }  # fmt: skip
    data = spec(
        nodes,
        "e",
        inputs={"x": X, "inner": X, "other": X},
        functions={"inner": inner, "scaled": scaled, "other": other},
    )
    return data | {"entries": ["main", "other"]}


CASES = {"masked": masked, "hidden": hidden}


def files() -> dict[str, str]:
    """Those that `test_clean` checks."""
    return {name: bx.generate(Graph.parse(make())) for name, make in CASES.items()}


def test_arguments_of_an_entry_keep_their_names() -> None:
    for name, source in files().items():
        graph = Graph.parse(CASES[name]())
        assert_same_program(graph, source)
        for entry, instance in graph.program().entries.items():
            title = graph.name if entry == "main" else entry
            found = inspect.signature(executed(source)[title])
            assert [*found.parameters] == ["params", *instance.function.inputs]


def test_arguments_go_by_name() -> None:
    graph = Graph.parse(masked())
    names: dict[str, Any] = executed(bx.generate(graph))
    params = bx.init(graph, jax.random.key(0))
    instance = graph.program().entries["main"]
    given = {
        n: jnp.ones(a.shape, a.dtype)
        for n, a in zip(
            instance.function.inputs, inputs_of(instance, optional=True), strict=True
        )
    }
    ours, _ = bx.build(graph)(params, **given)
    theirs = names[graph.name](params, **given)
    for key, value in ours.items():
        np.testing.assert_array_equal(value, theirs[key])


def test_functions_keep_their_names() -> None:
    names = executed(bx.generate(Graph.parse(hidden())))
    for title in ("inner", "scaled", "other"):
        assert names[title].__name__ == title
