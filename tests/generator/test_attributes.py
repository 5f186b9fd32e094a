"""Attributes that differ from call to call, wherever an expression may stand."""

from __future__ import annotations

from generated_files import assert_same_program
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph

KEY: Data = {"dtype": "key"}
BY = function(
    {"by": {"op": "multiply", "a": "x", "b": "s"}}, {"x": "by"}, {"x": {}, "s": {}}
)
TWICE = function(
    {
        "a": {"op": "multiply", "a": "x", "b": "s"},
        "b": {"op": "multiply", "a": "a", "b": "r"},
    },
    {"x": "b"},
    {"x": {}, "s": {}, "r": {}},
)
KEYED = function(
    {"drop": {"op": "dropout", "x": "x", "key": "k", "rate": 0.5}},
    {"x": "drop"},
    {"k": KEY, "x": {}},
)
LOOP: Data = {"op": "repeat", "function": "twice", "count": 2}
BODY = function(
    {
        "l": LOOP
        | {"carry": {"x": "x"}, "xs": {"r": ["$g", "$g ** 2"]}, "inputs": {"s": "$g"}},
        "O": LOOP
        | {"carry": {"x": "l"}, "xs": {"r": ["$g", 1.5]}, "inputs": {"s": "$g ** 2"}}
        | {"scan": False},
        "m": {
            "op": "map", "function": "by", "xs": {"x": "O"}, "inputs": {"s": "$g / 2"}
        },
        "square": {"op": "square", "x": "m"},
        # The key is folded where it stands, which is after the square.
        "keyed": {"op": "call", "function": "keyed", "inputs": {"k": "k", "x": "square"}},
        # A power of integers is one.
        "power": {"op": "multiply", "a": "n", "b": "$g ** 2"},
        "rows": {"op": "divide", "a": "keyed", "b": "$I ** 2"},
        "end": {"op": "add", "a": "rows", "b": "power"},
    },
    "end",
    {"x": {"shape": ["I", 4]}, "k": KEY, "n": {}},
    attributes=["g"],
)  # fmt: skip
CALL: Data = {"op": "call", "function": "body"}
GRAPH = Graph.parse(
    spec(
        {
            "once": CALL | {"inputs": ["x", "k", "n"], "attributes": {"g": 2}},
            "again": CALL | {"inputs": ["once", "k", "n"], "attributes": {"g": 3}},
        },
        inputs={
            "x": {"shape": [3, 4], "dtype": "float"},
            "k": {"shape": [], "dtype": "key"},
            "n": {"shape": [], "dtype": "int32"},
        },
        functions={"twice": TWICE, "by": BY, "keyed": KEYED, "body": BODY},
    )
)


def test_attributes_are_those_of_each_call() -> None:
    (source,) = files().values()
    assert_same_program(GRAPH, source)
    assert "g**2" in source
    assert "x.shape[0] ** 2" in source


def files() -> dict[str, str]:
    """Those that `test_clean` checks."""
    return {"calls": bx.generate(GRAPH)}
