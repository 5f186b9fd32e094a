"""Sizes that a node leaves open, and that another function gives at the same path."""

from __future__ import annotations

from typing import Any

import pytest
from generated_files import assert_same_program
from sample_specs import Data, function, spec
from traced_shapes import compare

import blox as bx
from blox.schema import Graph

FLOAT: Data = {"x": {"shape": ["batch", 8], "dtype": "float"}}
BOTH: Data = FLOAT | {"ids": {"shape": ["batch"], "dtype": "int32"}}


def embed(size: int | str, **more: Any) -> Data:
    return {"op": "embed", "ids": "ids", "num_embeddings": size, "features": 8, **more}


def unembed(params: str = ".", x: str = "x") -> Data:
    return {"op": "unembed", "x": x, "params": params}


def linear(size: int | str | None, params: str = "l", x: str = "x") -> Data:
    sizes = {} if size is None else {"in_features": 8, "out_features": size}
    return {"op": "linear", "x": x, "params": params, **sizes}


def call(function: str, params: str, x: str = "x", **more: Any) -> Data:
    inputs = {"inputs": {"x": x}}
    return {"op": "call", "function": function, "params": params} | inputs | more


def repeat(function: str, x: str, **more: Any) -> Data:
    loop = {"op": "repeat", "function": function, "count": 3, "carry": {"x": x}}
    return loop | {"params": "h"} | more


def gives(nodes: Data, name: str, **more: Any) -> Data:
    return function(nodes, {name: next(reversed(nodes))}, **more)


TIED = gives({"y": unembed()}, "y")
OPEN = gives({"b": linear(None)}, "x")
GIVEN = gives({"a": linear(8)}, "x")
SIZED = gives({"a": linear("$size")}, "x", attributes=["size"])
LOOK_UP = function({"e": embed(5, params=".")}, "e", {"ids": {}})


CASES: dict[str, Data] = {
    "the caller": spec(
        {"table": embed(5), "y": call("tied", "table", "table")},
        inputs=BOTH,
        functions={"tied": TIED},
    ),
    "the called function": spec(
        {
            "e": {"op": "call", "function": "look_up", "inputs": {"ids": "ids"}},
            "y": unembed("e", "e"),
        },
        inputs=BOTH,
        functions={"look_up": LOOK_UP},
    ),
    "another called function": spec(
        {
            "y": call("tied", "table"),
            "table": {"op": "call", "function": "look_up", "inputs": {"ids": "ids"}},
        },
        {"y": "y", "table": "table"},
        BOTH,
        {"tied": TIED, "look_up": LOOK_UP},
    ),
    "the caller's caller": spec(
        {"table": embed(5), "y": call("outer", "table")},
        {"y": "y", "table": "table"},
        BOTH,
        {"outer": gives({"i": call("tied", ".")}, "y"), "tied": TIED},
    ),
    "one function at two paths": spec(
        {
            "p": embed(5),
            "q": embed(7),
            "a": call("tied", "p", "p"),
            "b": call("tied", "q", "q"),
        },
        {"a": "a", "b": "b"},
        BOTH,
        {"tied": TIED},
    ),
    "a scanned repeat": spec(
        {"a": repeat("given", "x", scan=True), "b": repeat("unsized", "a", scan=True)},
        functions={"given": GIVEN, "unsized": OPEN},
    ),
    "a repeat within a repeat": spec(
        {"a": repeat("outer", "x", scan=True), "b": repeat("inner", "a", scan=True)},
        functions={
            "outer": gives({"i": repeat("given", "x", scan=False)}, "x"),
            "inner": gives({"i": repeat("unsized", "x", scan=False)}, "x"),
            "given": GIVEN,
            "unsized": OPEN,
        },
    ),
    "copies of other sizes": spec(
        {
            "a": repeat("sized", "x", scan=False, attributes={"size": [8, 8, 6]}),
            "b": repeat("unsized", "x", scan=False),
        },
        {"a": "a", "b": "b"},
        functions={"sized": SIZED, "unsized": OPEN},
    ),
    "branches": spec(
        {
            "a": linear(5, "c.then.l"),
            "b": linear(5, "c.else.l"),
            "s": {"op": "sum", "x": "x"},
            "p": {"op": "greater", "a": "s", "b": 0},
            "c": {"op": "cond", "predicate": "p", "then": "unsized", "else": "unsized"}
            | {"inputs": {"x": "x"}},
        },
        {"a": "a", "b": "b", "c": "c"},
        functions={"unsized": OPEN},
    ),
    "a map of copies": spec(
        {
            "a": {"op": "map", "function": "sized", "xs": {"x": "x"}, "count": 4}
            | {"attributes": {"size": 3}, "params": "h"},
            "b": {"op": "map", "function": "unsized", "xs": {"x": "x"}, "count": 4}
            | {"params": "h"},
        },
        {"a": "a", "b": "b"},
        {"x": {"shape": [4, 8], "dtype": "float"}},
        {"sized": SIZED, "unsized": OPEN},
    ),
    "another entry": spec(
        {"table": embed(5)},
        inputs=BOTH,
        functions={"head": function({"y": unembed("table")}, "y", FLOAT)},
        entries=["main", "head"],
    ),
    "an entry that calls it": spec(
        {
            "h": embed(5, params="table"),
            "g": embed(7, params="other.table"),
            "a": call("head", ".", "h"),
            "b": call("head", "other", "g"),
        },
        {"a": "a", "b": "b"},
        BOTH,
        {"head": function({"y": unembed("table")}, "y", FLOAT)},
        entries=["main", "head"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_given_by(name: str) -> None:
    graph = Graph.parse(CASES[name])
    assert bx.validate(graph).errors == []
    assert not compare(graph, train=False)
    assert_same_program(graph, bx.generate(graph))


def test_a_size_that_does_not_fit_is_reported_at_its_path() -> None:
    nodes = {"p": embed(5), "q": embed(7), "wide": call("tied", "p", "x2")}
    nodes = {"x2": {"op": "concatenate", "xs": ["x", "x"], "axis": -1}, **nodes}
    graph = Graph.parse(spec(nodes, inputs=BOTH, functions={"tied": TIED}))
    (found,) = bx.validate(graph).errors
    assert found.path == "main.wide.y"
    assert "16" in found.message
