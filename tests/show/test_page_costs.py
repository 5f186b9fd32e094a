"""FLOPs in the page: of each function and node, where all calls agree."""

from __future__ import annotations

from typing import Any

from blox.schema import Graph
from blox.show.page.content import content


def dense(x: str, into: int, out: int) -> dict[str, Any]:
    return {
        "op": "linear",
        "x": x,
        "in_features": into,
        "out_features": out,
        "use_bias": False,
    }


def call(function: str, x: str, **more: Any) -> dict[str, Any]:
    return {"op": "call", "function": function, "inputs": {"x": x}, **more}


def parts_of(functions: dict[str, Any]) -> dict[str, Any]:
    graph = Graph.parse({"format": "blox/1", "name": "m", "functions": functions})
    return {part["name"]: part for part in content(graph)["parts"]}


def flops(part: Any) -> dict[str, str]:
    return {node["name"]: node.get("flops", "") for node in part["nodes"]}


def test_a_function_a_node_and_all_copies_of_a_repeat() -> None:
    """A product of [batch, 8] and [8, 8] multiplies and adds 64 times a row."""
    repeat = {"op": "repeat", "function": "block", "count": 3, "carry": {"x": "x"}}
    found = parts_of(
        {
            "block": {
                "inputs": {"x": {}},
                "nodes": {"up": dense("x", 8, 8)},
                "outputs": {"x": "up"},
            },
            "main": {
                "inputs": {"x": {"shape": ["batch", 8], "dtype": "float"}},
                "nodes": {"h": repeat, "unused": dense("x", 8, 8)},
                "outputs": {"y": "h"},
            },
        }
    )
    assert found["block"]["flops"] == "128*batch"
    assert flops(found["block"]) == {"up": "128*batch"}
    assert found["main"]["flops"] == "384*batch"
    assert flops(found["main"]) == {"h": "384*batch", "unused": ""}


def test_calls_that_differ_say_so() -> None:
    found = parts_of(
        {
            "act": {
                "inputs": {"x": {}},
                "nodes": {"square": {"op": "square", "x": "x"}},
                "outputs": {"x": "square"},
            },
            "main": {
                "inputs": {"x": {"shape": [4, 8], "dtype": "float"}},
                "nodes": {
                    "a": call("act", "x"),
                    "half": {"op": "index", "x": "a", "at": "0"},
                    "b": call("act", "half"),
                },
                "outputs": {"y": "b"},
            },
        }
    )
    assert found["act"]["flops"] == "differs between calls"
    assert flops(found["main"]) == {"a": "32", "half": "", "b": "8"}


def test_sizes_that_are_given_are_numbers_everywhere() -> None:
    graph = Graph.parse(
        {
            "format": "blox/1",
            "name": "m",
            "functions": {
                "main": {
                    "inputs": {"x": {"shape": ["batch", 8], "dtype": "float"}},
                    "nodes": {"up": dense("x", 8, 8)},
                    "outputs": {"y": "up"},
                }
            },
        }
    )
    (main,) = content(graph, dims={"batch": 3})["parts"]
    assert main["flops"] == "384"
    assert main["nodes"][0]["gives"] == [["out", "float32[3, 8]"]]
