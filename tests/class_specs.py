"""Small specs for files of classes: arrays that nodes share, and what is refused."""

from __future__ import annotations

import json

from sample_specs import Data, function, spec

from blox.schema import Graph, from_bytes

WIDTH = 8
X: Data = {"x": {"shape": ["batch", WIDTH], "dtype": "float"}}


def linear(x: str = "x", **more: object) -> Data:
    return {
        "op": "linear", "x": x, "in_features": WIDTH, "out_features": WIDTH, **more
    }  # fmt: skip


def call(title: str, x: str = "x", **more: object) -> Data:
    return {"op": "call", "function": title, "inputs": {"x": x}, **more}


FUNCTIONS: Data = {
    "block": function({"up": linear()}, {"x": "up"}),
    "other": function({"up": linear(), "down": linear("up")}, {"x": "down"}),
    "scaled": function(
        {
            "up": {**linear(), "out_features": "$width"},
            "down": {**linear("up"), "in_features": "$width"},
            "times": {"op": "multiply", "a": "down", "b": "$by"},
        },
        {"x": "times"},
        attributes=["width", "by"],
    ),
}


def graph(nodes: Data) -> Graph:
    """A Graph of these nodes in `main`, and of the functions that they call."""
    used = {k: v for k, v in FUNCTIONS.items() if f'"{k}"' in json.dumps(nodes)}
    data = spec(nodes, inputs=X, functions=used)
    return from_bytes(json.dumps(data).encode())


def norm(op: str, x: str, **more: object) -> Data:
    return {"op": op, "x": x, "features": WIDTH, **more}


def repeat(scan: bool, **more: object) -> Data:
    return {
        "op": "repeat", "function": "block", "count": 2, "scan": scan,
        "carry": {"x": "x"}, **more,
    }  # fmt: skip


WRITTEN: dict[str, Data] = {
    "a function twice at a path": {"a": call("block"), "b": call("block", "a", params="a")},
    "an array within a call": {"a": call("block"), "b": linear("a", params="a.up")},
    "a function at the scope": {"a": call("block", params=".")},
    "an op at the scope": {"a": linear(params=".")},
    "paths of two names": {"a": linear(params="one.two"), "b": linear("a", params="one.x")},
    "two ops at a path": {
        "a": norm("layer_norm", "x", params="n"), "b": norm("rms_norm", "a", params="n")
    },
    "some with a bias": {
        "a": linear(), "b": linear("a", use_bias=False),
        "c": linear("b", params="a", use_bias=False),
    },
    "frozen and buffers": {
        "a": linear(frozen=["kernel"]), "b": linear("a"),
        "w": {"op": "buffer", "shape": [WIDTH]}, "y": {"op": "add", "a": "b", "b": "w"},
    },
    "other initialisers": {
        "a": linear(init={"kernel": {"name": "orthogonal"}}), "b": linear("a")
    },
    "attributes": {
        "a": call("scaled", attributes={"width": 3, "by": 0.5}),
        "b": call("scaled", "a", attributes={"width": 5, "by": 2.0}),
    },
    "attributes of copies": {
        "h": {
            "op": "repeat", "function": "scaled", "count": 3, "scan": False,
            "carry": {"x": "x"}, "attributes": {"width": [3, 5], "by": 2.0},
        },
        "a": call("scaled", "h", attributes={"width": 5, "by": 0.5}),
    },
    "stacked and listed": {
        "h": repeat(True), "g": {**repeat(False), "carry": {"x": "h"}}
    },
}  # fmt: skip
"""Nodes of `main`, by what is special about them."""

SHARED = "expected arrays of one node, or of nodes that are alike, found another node's"
WITHIN = "expected a place of its own, found one within another node's arrays"
REFUSED: dict[str, tuple[Data, str]] = {
    "two functions at a path": (
        {"a": call("block"), "b": call("other", "a", params="a")}, f"main.b: {SHARED}",
    ),
    "a node with arrays and children": (
        {"a": linear(), "b": call("block", "a", params="a")}, f"main.b: {SHARED}",
    ),
    "one function, other attributes": (
        {
            "a": call("scaled", attributes={"width": 3, "by": 0.5}),
            "b": call("scaled", "a", attributes={"width": 3, "by": 2.0}, params="a"),
        },
        f"main.b: {SHARED}",
    ),
    "an array among those of copies": (
        {"h": repeat(True), "b": linear("h", params="h.extra")}, f"main.b: {WITHIN}",
    ),
    "an array among those of a call": (
        {"a": call("block"), "b": linear("a", params="a.extra")}, f"main.b: {WITHIN}",
    ),
    "arrays that nothing uses": (
        {"c": linear(), "a": linear()},
        "main.c: expected arrays that something uses, found a node that nothing uses",
    ),
}  # fmt: skip
"""Nodes of `main`, and the beginning of the error."""
