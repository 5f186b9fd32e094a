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
    "second": function({"up": linear(params="layers.0")}, {"x": "up"}),
    "normed": function(
        {
            "norm": {"op": "batch_norm", "x": "x", "features": WIDTH},
            "up": linear("norm"),
        },
        {"x": "up"},
    ),
    "scaled": function(
        {
            "up": {**linear(), "out_features": "$width"},
            "down": {**linear("up"), "in_features": "$width"},
            "times": {"op": "multiply", "a": "down", "b": "$by"},
        },
        {"x": "times"},
        attributes=["width", "by"],
    ),
    "headed": function(
        {"b": call("normed", params="."), "head": linear("b")}, {"x": "head"}
    ),
    "counted": function(
        {
            "h": {
                "op": "repeat",
                "function": "indexed",
                "count": 2,
                "scan": False,
                "carry": {"x": "x"},
                "attributes": {"i": [3, "$i"], "k": "$k"},
            }
        },
        {"x": "h"},
        attributes=["i", "k"],
    ),
    "tallied": function(
        {
            "a": {"op": "state", "shape": [], "params": "counts.0"},
            "b": {"op": "state", "shape": [], "params": "counts.1"},
            "more": {"op": "add", "a": "b", "b": 1},
            "now": {"op": "assign", "to": "b", "x": "more"},
            "once": {"op": "assign", "to": "a", "x": "b", "training": True},
            "sum": {"op": "add", "a": "x", "b": "a"},
            "y": {"op": "add", "a": "sum", "b": "b"},
        },
        {"x": "y"},
    ),
    "dense": function({"dense": linear()}, {"x": "dense"}),
    "seen": function({"up": linear()}, {"x": "up", "y": "x"}),
    "joined": function(
        {
            "norm": {"op": "batch_norm", "x": "x", "features": WIDTH},
            "sum": {"op": "add", "a": "norm", "b": "y"},
        },
        {"x": "sum"},
        {"x": {}, "y": {}},
    ),
    "indexed": function(
        {
            "up": {**linear(), "out_features": "$i"},
            "down": {**linear("up"), "in_features": "$i"},
            "times": {"op": "multiply", "a": "down", "b": "$k"},
        },
        {"x": "times"},
        attributes=["i", "k"],
    ),
}


def to_data(nodes: Data) -> Data:
    """A spec of these nodes in `main`, and of the functions that they call."""
    used: Data = {}
    while more := {
        title: function
        for title, function in FUNCTIONS.items()
        if f'"{title}"' in json.dumps([nodes, used]) and title not in used
    }:
        used |= more
    return spec(nodes, inputs=X, functions=used)


def graph(nodes: Data) -> Graph:
    """The Graph of `to_data`."""
    return from_bytes(json.dumps(to_data(nodes)).encode())


def two_entries(title: str) -> Graph:
    """`main`, which calls a function, and `twice`, which calls main two times."""
    main = function({"a": call(title)}, {"y": "a"}, X)
    own = {"function": "main", "params": "."}
    nodes = {"m": {**call("", "x"), **own}, "n": {**call("", "m"), **own}}
    data = to_data({"a": call(title)})
    data["entries"] = ["main", "twice"]
    data["functions"] |= {"main": main, "twice": function(nodes, {"y": "n"}, X)}
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
    "a function and its node of one name": {"a": call("dense"), "b": call("dense", "a")},
    "an array within a call": {"a": call("block"), "b": linear("a", params="a.up")},
    "a function and one over its arrays": {
        "a": call("normed", params="enc"), "b": call("headed", "a", params="enc"),
        "c": call("normed", "b", params="enc"),
    },
    "copies of both": {
        "a": {**repeat(True), "function": "headed"},
        "b": {**repeat(True, params="a"), "function": "normed", "carry": {"x": "a"}},
        "c": {**repeat(False), "function": "normed", "carry": {"x": "b"}},
        "d": {**repeat(False, params="c"), "function": "headed", "carry": {"x": "c"}},
    },
    "a function at the scope": {"a": call("block", params=".")},
    "an op at the scope": {"a": linear(params=".")},
    "a list in two functions": {
        "a": linear(params="layers.1"), "b": call("second", "a", params="."),
        "c": linear("b", params="rows.0.0"), "d": call("block", "c", params="blocks.0"),
        "e": call("block", "d", params="blocks.1"),
    },
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
    "a frozen table read twice": {
        "a": norm("layer_norm", "x", params="n", frozen=["scale"]),
        "b": norm("rms_norm", "a", params="n"),
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
    "state below checkpoints": {
        "a": call("normed", remat="nothing_saveable"),
        "h": {**repeat(True, remat="dots_saveable"), "function": "normed"},
        "g": {**repeat(False, remat="nothing_saveable"), "function": "normed"},
    },
    "a checkpoint at the scope": {
        "a": call("normed", params=".", remat="nothing_saveable"), "b": linear("a"),
    },
    "branches of different kinds": {
        "test": {"op": "greater", "a": "x", "b": 0.0},
        "any": {"op": "any", "x": "test"},
        "a": {
            "op": "cond", "predicate": "any", "inputs": {"x": "x"},
            "then": "block", "else": "other",
        },
        "b": linear("a", params="up.one"), "c": norm("rms_norm", "b", params="up.two"),
    },
    "state in branches": {
        "sum": {"op": "sum", "x": "x"},
        "test": {"op": "greater", "a": "sum", "b": 0.0},
        "a": {
            "op": "cond", "predicate": "test", "inputs": {"x": "x"},
            "then": "normed", "else": "block",
        },
        "i": {"op": "astype", "x": "test", "dtype": "int32"},
        "b": {
            "op": "switch", "index": "i", "inputs": {"x": "a"},
            "branches": ["block", "normed", "normed"],
        },
    },
    "state that is read after it is assigned": {
        "n": {"op": "state", "shape": []}, "more": {"op": "add", "a": "n", "b": 1},
        "a": {"op": "assign", "to": "n", "x": "more"},
        "mean": {"op": "state", "shape": [WIDTH]}, "row": {"op": "mean", "x": "x", "axis": 0},
        "b": {"op": "assign", "to": "mean", "x": "row", "training": True},
        "c": {"op": "assign", "to": "mean", "x": "mean"},
        "old": {"op": "multiply", "a": "x", "b": "n"},
        "moved": {"op": "subtract", "a": "old", "b": "mean"},
        "y": {"op": "multiply", "a": "moved", "b": "b"},
    },
    "state in a list, in a loop": {
        "a": call("tallied"),
        "s": {"op": "scan", "function": "tallied", "carry": {"x": "a"}, "length": 2},
    },
    "state of a shared path": {
        "a": call("normed"), "b": call("normed", "a", params="a"),
        "c": linear("b"),
    },
    "arrays that nothing uses": {
        "c": linear(),
        "p": {"op": "param", "shape": [WIDTH, 2]},
        "a": linear(),
    },
    "lists of different kinds": {
        "h": repeat(False),
        "g": {**repeat(False), "function": "other", "carry": {"x": "h"}},
        "s": {**repeat(True), "function": "normed", "carry": {"x": "g"}},
    },
    "attributes named as variables": {
        "a": call("counted", attributes={"i": 4, "k": 0.5}),
        "b": call("counted", "a", attributes={"i": 5, "k": 2.0}),
    },
    "stacked and listed": {
        "h": repeat(True), "g": {**repeat(False), "carry": {"x": "h"}}
    },
    "lists through copies": {
        "g": {**repeat(False), "function": "seen", "listed": ["y"]},
        "h": {
            **repeat(False), "function": "joined", "carry": {"x": "g.x"},
            "xs": {"y": "g.y"},
        },
    },
    "copies that share": {
        "h": repeat(False, shared=True), "b": linear("h", params="h.up")
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
    "an array among those of a call": (
        {"a": call("block"), "b": linear("a", params="a.extra")}, f"main.b: {WITHIN}",
    ),
    "a function and, elsewhere, one over its arrays": (
        {"a": call("normed"), "b": call("headed", "a")},
        "a.head.bias: expected arrays of one node at each place, found those of several",
    ),
    "state through copies that share": (
        {"h": {**repeat(False, shared=True), "function": "normed"}},
        "main.h: expected copies that share all of a module, found state that goes "
        "through copies",
    ),
    "attributes of copies that share": (
        {
            "h": {
                "op": "repeat", "function": "scaled", "count": 2, "scan": False,
                "shared": True, "carry": {"x": "x"},
                "attributes": {"width": 3, "by": [0.5, 2.0]},
            }
        },
        "main.h: expected copies that share all of a module, found attributes of copies",
    ),
    "a function that does not run": (
        {"c": call("block"), "a": linear()},
        "main.c: expected functions that run, found one that does not",
    ),
}  # fmt: skip
"""Nodes of `main`, and the beginning of the error."""
