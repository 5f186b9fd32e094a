"""The docstring of an entry says its shapes, as the Graph writes them."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from generated_files import executed
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph

FLOAT: Data = {"dtype": "float"}
LINEAR: Data = {"op": "linear", "x": "x", "in_features": 8, "out_features": "$width"}


def doc(nodes: Data, inputs: Data | None = None, **more: Any) -> str | None:
    graph = Graph.parse(
        spec(nodes, None, inputs, attributes={"width": 4, "other": 4}, **more)
    )
    return inspect.getdoc(executed(bx.generate(graph))["model"])


@pytest.mark.parametrize(
    ("nodes", "inputs", "expected"),
    [
        ({"z": LINEAR}, None, "x (batch, 8) -> y (batch, width)."),
        (
            {"z": LINEAR, "act": {"op": "relu", "x": "z"}},
            None,
            "x (batch, 8) -> y (batch, width).",
        ),
        (
            {"z": {"op": "index", "x": "x", "at": ":, :4"}},
            None,
            "x (batch, 8) -> y (batch, 4).",
        ),
        (
            {"y": {"op": "add", "a": "a", "b": "b"}},
            {n: FLOAT | {"shape": ["n", "$width"]} for n in "ab"},
            "a, b (n, width) -> y (n, width).",
        ),
        (
            {"y": {"op": "exp", "x": "x"}},
            {"x": FLOAT | {"shape": ["...", "$2 * width"]}},
            "x (..., 2 * width).",
        ),
        ({"y": {"op": "exp", "x": "x"}}, {"x": FLOAT | {"shape": []}}, None),
    ],
)
def test_sizes_are_written_as_the_graph_does(
    nodes: Data, inputs: Data | None, expected: str | None
) -> None:
    assert doc(nodes, inputs) == expected


def test_a_size_is_looked_for_in_functions() -> None:
    inner = function({"z": LINEAR}, {"z": "z"})
    call: Data = {"op": "call", "function": "inner", "inputs": ["x"]}
    found = doc({"y": call}, functions={"inner": inner})
    assert found == "x (batch, 8) -> y (batch, width)."


def test_a_long_one_ends_its_lines_between_shapes() -> None:
    inputs = {
        f"input_{i}": FLOAT | {"shape": ["batch", "time", i + 1]} for i in range(5)
    }
    found = doc({"y": {"op": "exp", "x": "input_0"}}, inputs)
    assert found == (
        "input_0 (batch, time, 1); input_1 (batch, time, 2); input_2 (batch, time, 3);\n"
        "input_3 (batch, time, 4); input_4 (batch, time, 5)\n"
        "-> y (batch, time, 1)."
    )
