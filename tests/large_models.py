"""Large models as data: layers with experts, written with loops or without any."""

from __future__ import annotations

from typing import Any

from blox.schema import Graph

WIDTH = 64


def experts(layers: int, count: int) -> Graph:
    """`layers` layers of `count` experts each, by a repeat and a map."""
    expert = {
        "inputs": {"x": {}},
        "nodes": {
            "up": _linear("x", WIDTH, 4 * WIDTH),
            "act": {"op": "gelu", "x": "up"},
            "down": _linear("act", 4 * WIDTH, WIDTH),
        },
        "outputs": {"y": "down"},
    }
    layer = {
        "inputs": {"x": {"shape": ["batch", WIDTH], "dtype": "float"}},
        "nodes": {
            "norm": {"op": "layer_norm", "x": "x", "features": WIDTH},
            "router": _linear("norm", WIDTH, count),
            "gates": {"op": "softmax", "x": "router"},
            "copies": {
                "op": "broadcast_to",
                "x": "norm",
                "shape": [count, "$batch", WIDTH],
            },
            "experts": {
                "op": "map",
                "function": "expert",
                "xs": {"x": "copies"},
                "count": count,
            },
            "mixed": {
                "op": "einsum",
                "xs": ["experts", "gates"],
                "equation": "ebw,be->bw",
            },
            "sum": {"op": "add", "a": "x", "b": "mixed"},
        },
        "outputs": {"x": "sum"},
    }
    main = {
        "inputs": {"x": {"shape": ["batch", WIDTH], "dtype": "float"}},
        "nodes": {
            "layers": {
                "op": "repeat",
                "function": "layer",
                "count": layers,
                "carry": {"x": "x"},
            }
        },
        "outputs": {"y": "layers"},
    }
    return _graph("experts", {"expert": expert, "layer": layer, "main": main})


def unrolled(layers: int) -> Graph:
    """A chain of `layers` linear maps, activations and sums, a node each."""
    nodes: dict[str, Any] = {}
    last = "x"
    for i in range(layers):
        nodes[f"up_{i}"] = _linear(last, WIDTH, WIDTH)
        nodes[f"act_{i}"] = {"op": "gelu", "x": f"up_{i}"}
        nodes[f"sum_{i}"] = {"op": "add", "a": last, "b": f"act_{i}"}
        last = f"sum_{i}"
    main = {
        "inputs": {"x": {"shape": ["batch", WIDTH], "dtype": "float"}},
        "nodes": nodes,
        "outputs": {"y": last},
    }
    return _graph("unrolled", {"main": main})


def _linear(x: str, into: int, out: int) -> dict[str, Any]:
    return {"op": "linear", "x": x, "in_features": into, "out_features": out}


def _graph(name: str, functions: dict[str, Any]) -> Graph:
    return Graph.parse({"format": "blox/1", "name": name, "functions": functions})
