"""Graphs with an op that is no core op, with and without a body for it."""

from __future__ import annotations

from typing import Any

from sample_specs import Data, function, spec

GATE: Data = {"op": "acme:gate", "x": "x", "features": 4, "k": 2.0}
BODY = function(
    {
        "scale": {"op": "param", "shape": ["$features"], "params": "scale"},
        "by": {"op": "multiply", "a": "x", "b": "$k"},
        "bent": {"op": "erf", "x": "by"},
        "scaled": {"op": "multiply", "a": "x", "b": "scale"},
        "out": {"op": "multiply", "a": "scaled", "b": "bent"},
    },
    {"out": "out"},
    {"x": {}},
    attributes=["features", "k"],
)
INPUTS: Data = {"x": {"shape": ["batch", 4], "dtype": "float"}}


def gate_spec(body: Data | None = None, node: Data = GATE, **more: Any) -> Data:
    functions = {} if body is None else {"acme_gate": body}
    ops = {} if body is None else {"ops": {"acme:gate": "acme_gate"}}
    return spec({"n": node}, inputs=INPUTS, functions=functions, **(ops | more))
