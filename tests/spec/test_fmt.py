"""`fmt`: files that a tool has sorted get an order in which references look back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_specs import CONTROL, GPT, RELU, TINY, spec

from blox.schema import Graph, SpecError, to_json
from blox.schema.write.reorder import reorder


@pytest.mark.parametrize("data", [TINY, GPT, CONTROL])
def test_what_is_in_order_stays(data: Any) -> None:
    assert to_json(reorder(data)) == to_json(Graph.parse(data))
    assert reorder(Graph.parse(data)) == Graph.parse(data)


@pytest.mark.parametrize("data", [GPT, CONTROL])
def test_sorted_files_work_again(data: Any) -> None:
    tidy = json.loads(json.dumps(data, sort_keys=True))
    with pytest.raises(SpecError, match="fmt --reorder"):
        Graph.parse(tidy).program()
    graph = reorder(tidy)
    assert set(graph.program().leaves()) == set(Graph.parse(data).program().leaves())
    assert reorder(graph) == graph
    assert to_json(reorder(graph)) == to_json(graph)


def test_optional_inputs_come_last() -> None:
    inputs = {
        "a": {"shape": [1], "dtype": "float", "optional": True},
        "b": {"shape": [1], "dtype": "float"},
        "c": {"shape": [1], "dtype": "float", "optional": True},
        "x": {"shape": [1], "dtype": "float"},
    }
    graph = reorder(spec({"n": RELU}, inputs=inputs))
    assert list(graph.functions["main"].inputs) == ["b", "x", "a", "c"]
    graph.program()


def test_circles_keep_their_place_and_their_error() -> None:
    nodes = {
        "z": {"op": "relu", "x": "a"},
        "a": RELU,
        "b": {"op": "relu", "x": "c"},
        "c": {"op": "relu", "x": "b"},
    }
    graph = reorder(spec(nodes))
    assert list(graph.functions["main"].nodes) == ["a", "z", "b", "c"]
    with pytest.raises(SpecError, match=r"main\.b\.x.*'c', which comes later"):
        graph.program()


@settings(max_examples=50)
@given(st.data())
def test_any_order_is_restored(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    nodes = {}
    for i in range(count):
        earlier = ["x", *(f"n{j}" for j in range(i))]
        a, b = data.draw(st.tuples(*[st.sampled_from(earlier)] * 2))
        nodes[f"n{i}"] = {"op": "add", "a": a, "b": b}
    shuffled = dict(data.draw(st.permutations(list(nodes.items()))))
    graph = reorder(spec(shuffled, f"n{count - 1}"))
    graph.program()
    assert (
        graph.functions["main"].nodes
        == Graph.parse(spec(nodes)).functions["main"].nodes
    )
