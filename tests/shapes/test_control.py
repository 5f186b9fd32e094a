"""Faults of nodes that run functions, at the node and the argument that has them."""

from __future__ import annotations

from typing import Any

import pytest
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph

RELU: Data = {"r": {"op": "relu", "x": "x"}}
INPUTS: Data = {
    "x": {"shape": ["n", 8], "dtype": "float"},
    "long": {"shape": ["m", 8], "dtype": "float"},
    "p": {"shape": ["n"], "dtype": "bool"},
    "i": {"shape": [], "dtype": "int32"},
    "four": {"shape": [4, 8], "dtype": "float"},
}
FUNCTIONS: Data = {
    "same": function(RELU, {"x": "r"}),
    "half": function({"h": {"op": "index", "x": "x", "at": "..., ::2"}}, {"x": "h"}),
    "whole": function({"c": {"op": "astype", "x": "x", "dtype": "int32"}}, {"x": "c"}),
    "both": {
        "inputs": {"x": {}, "y": {}},
        "nodes": {"s": {"op": "add", "a": "x", "b": "y"}},
        "outputs": {"x": "s"},
    },
    "large": function(
        {
            "m": {"op": "max", "x": "x"},
            "g": {"op": "greater", "a": "x", "b": 3},
            "t": {"op": "any", "x": "g"},
        },
        {"t": "t"},
    ),
    "each": function({"g": {"op": "greater", "a": "x", "b": 3}}, {"t": "g"}),
}


def report(node: Data) -> list[str]:
    functions = {
        name: FUNCTIONS[name]
        for name in FUNCTIONS
        if name in [node.get(k) for k in ("function", "then", "else", "cond", "body")]
        or name in node.get("branches", [])
    }
    data = spec({"c": node}, "c.x" if "cond" in node else "c", INPUTS, functions)
    return [str(d) for d in bx.validate(Graph.parse(data)).errors]


def scan(name: str, **more: Any) -> Data:
    return {"op": "scan", "function": name, "carry": {"x": "x"}, **more}


@pytest.mark.parametrize(
    ("node", "path", "text"),
    [
        (scan("same", length=3), "", ""),
        (scan("half", length=3), ".carry.x", "float32[n, 8], found float32[n, 4]"),
        (scan("whole", length=3), ".carry.x", "float32[n, 8], found int32[n, 8]"),
        (scan("both", xs={"y": "four"}), "", ""),
        (scan("both", xs={"y": "four"}, length=5), ".xs.y", "5 slices, found 4"),
        (scan("both", xs={"y": "i"}), ".xs.y", "an axis 0, found int32[]"),
        (
            {"op": "map", "function": "both", "xs": {"x": "x", "y": "long"}},
            ".xs.y",
            "slices, found",
        ),
        (
            {"op": "map", "function": "same", "xs": {"x": "four"}, "axis": 2},
            ".xs.x",
            "expected an axis 2, found float32[4, 8]",
        ),
        (
            {
                "op": "cond",
                "predicate": "p",
                "then": "same",
                "else": "same",
                "inputs": {"x": "x"},
            },
            ".predicate",
            "expected a scalar, found bool[n]",
        ),
        (
            {
                "op": "switch",
                "index": "i",
                "branches": ["same", "half", "whole"],
                "inputs": {"x": "x"},
            },
            "",
            "expected all branches to give the same x, found float32[n, 8] and float32[n, 4]",
        ),
        (
            {"op": "repeat", "function": "half", "count": 4, "carry": {"x": "x"}},
            ".carry.x",
            "found float32[n, 4]",
        ),
        (
            {"op": "repeat", "function": "half", "count": 3, "scan": False}
            | {"carry": {"x": "x"}},
            "",
            "",
        ),
        (
            {"op": "while_loop", "cond": "each", "body": "same", "carry": {"x": "x"}},
            "",
            "expected a boolean scalar of cond, found bool[n, 8]",
        ),
        (
            {"op": "while_loop", "cond": "large", "body": "whole", "carry": {"x": "x"}},
            ".carry.x",
            "found int32[n, 8]",
        ),
    ],
)
def test_faults(node: Data, path: str, text: str) -> None:
    errors = report(node)
    if not text:
        assert errors == []
        return
    assert errors[0].startswith(f"main.c{path}: ")
    assert text in errors[0]
    assert len(errors) == 1


def test_a_weak_number_as_a_carry_takes_the_type_of_the_next() -> None:
    """As `lax.scan` does: the carry starts as a weak scalar and is float from then on."""
    body = function({"s": {"op": "multiply", "a": "x", "b": 1.5}}, {"x": "s"})
    node = {"op": "scan", "function": "f", "carry": {"x": 2.0}, "length": 3}
    nodes = {"c": node, "y": {"op": "add", "a": "x", "b": "c"}}
    graph = Graph.parse(spec(nodes, inputs=INPUTS, functions={"f": body}))
    assert bx.validate(graph).errors == []


@pytest.mark.parametrize("op", ["scan", "while_loop"])
def test_a_number_does_not_turn_an_integer_carry_into_a_float(op: str) -> None:
    """`0` is an int32 from the start, and what 1.5 makes of it a weak float32."""
    body = function({"s": {"op": "add", "a": "x", "b": 1.5}}, {"x": "s"})
    less = function({"l": {"op": "less", "a": "x", "b": 9}}, "l")
    node: Data = {"op": "scan", "function": "f", "carry": {"x": 0}, "length": 3}
    if op == "while_loop":
        node = {"op": op, "cond": "g", "body": "f", "carry": {"x": 0}}
    nodes = {"c": node, "y": {"op": "add", "a": "x", "b": "c"}}
    functions = {"f": body, "g": less}
    graph = Graph.parse(spec(nodes, inputs=INPUTS, functions=functions))
    (found,) = bx.validate(graph).errors
    assert found.path == "main.c.carry.x"
    assert "int32[], found float32[]" in found.message
