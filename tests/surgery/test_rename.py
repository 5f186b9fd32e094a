"""`edit.rename`: what is meant by a name."""

from __future__ import annotations

import pytest
from sample_specs import spec

import blox as bx
from blox.schema import Graph


def test_a_name_that_stands_for_several_things_is_asked_for() -> None:
    graph = Graph.parse(
        spec({"up": {"op": "linear", "x": "x", "in_features": 8, "out_features": 8}},
             {"up": "up"})
    )  # fmt: skip
    e = bx.edit(graph)
    with pytest.raises(
        bx.SpecError, match=r'found node, output; say which by kind="node"'
    ):
        e.rename("main.up", "down")
    assert [
        *e.rename("main.up", "down", kind="output").graph.functions["main"].outputs
    ] == ["down"]
    moved = e.rename("main.up", "main.down", kind="node")
    assert [row.old for row in moved.plan.changed] == [("up.kernel",), ("up.bias",)]
