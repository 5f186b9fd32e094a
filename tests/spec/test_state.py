"""State that nodes update: what of it a file may not say."""

from __future__ import annotations

from typing import Any

import pytest
from sample_specs import Data, function, spec

from blox.schema import Graph, SpecError

COUNT: Data = {"op": "state", "shape": [], "dtype": "int32"}
MORE: Data = {"op": "add", "a": "count", "b": 1}
COUNTED = function(
    {"count": COUNT, "more": MORE, "tick": {"op": "assign", "to": "count", "x": "more"},
     "y": {"op": "multiply", "a": "x", "b": "tick"}},
    {"x": "y"},
)  # fmt: skip
NORMED = function(
    {"norm": {"op": "batch_norm", "x": "x", "features": 8}}, {"x": "norm"}
)
DRAWN = function(
    {"key": {"op": "rng"}, "y": {"op": "dropout", "x": "x", "key": "key", "rate": 0.5}},
    {"x": "y"},
)
READ = function(
    {"count": COUNT, "y": {"op": "multiply", "a": "x", "b": "count"}}, {"x": "y"}
)
TEST = function(
    {**COUNTED["nodes"], "go": {"op": "less", "a": "tick", "b": 3}}, {"go": "go"}
)
SAME = function({"y": {"op": "relu", "x": "x"}}, {"x": "y"})


def faults(nodes: Data, **functions: Data) -> list[str]:
    """What is wrong with a Graph, its last node being what it gives."""
    graph = Graph.parse(spec(nodes, functions=functions))
    with pytest.raises(SpecError) as caught:
        graph.program()
    return [str(d) for d in caught.value.diagnostics]


def assign(to: Any, **more: Any) -> Data:
    return {"op": "assign", "to": to, "x": "x", **more}


@pytest.mark.parametrize(
    ("node", "found"),
    [
        (assign("x"), "an input or a number"),
        (assign(1), "an input or a number"),
        (assign("$1 + 1"), "an input or a number"),
        (assign("weight"), "the op param"),
        (assign("fixed"), "the op buffer"),
        (assign("sum"), "the op add"),
    ],
)
def test_only_a_node_of_state_is_assigned_to(node: Data, found: str) -> None:
    said = faults(
        {
            "weight": {"op": "param", "shape": [8]},
            "fixed": {"op": "buffer", "shape": [8]},
            "sum": {"op": "add", "a": "x", "b": "weight"},
            "n": node,
        }
    )
    text = f"main.n.to: expected a node `state` of this function, found {found}"
    assert any(line.startswith(text) for line in said)


def test_a_later_or_an_unknown_node_is_no_state_yet() -> None:
    assert "comes later" in " ".join(faults({"n": assign("count"), "count": COUNT}))
    assert "found 'cuont'" in " ".join(faults({"count": COUNT, "n": assign("cuont")}))
    assert "which is this node" in " ".join(faults({"n": assign("n")}))


@pytest.mark.parametrize(
    ("inner", "step"), [(COUNTED, "tick"), (NORMED, "norm"), (DRAWN, "key")]
)
def test_lanes_without_a_count_update_nothing(inner: Data, step: str) -> None:
    lanes = {"op": "map", "function": "inner", "xs": {"x": "x"}}
    (said,) = faults({"n": lanes}, inner=inner)
    assert said.startswith(
        "main.n: expected a function that updates no state, as it runs in map where none "
        f"can be kept, found '{step}' in inner"
    )
    assert "give it a count" in said
    Graph.parse(spec({"n": lanes}, functions={"inner": READ})).program()
    below = {"c": {"op": "call", "function": "inner", "inputs": {"x": "x"}}}
    outer = function(below, {"x": "c"})
    (said,) = faults({"n": {**lanes, "function": "outer"}}, outer=outer, inner=inner)
    assert "found 'c' in outer" in said


def test_what_asks_whether_to_go_on_updates_nothing() -> None:
    loop = {"op": "while_loop", "cond": "test", "body": "same", "carry": {"x": "x"}}
    (said,) = faults({"n": loop}, test=TEST, same=SAME)
    assert said.startswith(
        "main.n: expected a function that updates no state, as cond runs in while_loop "
        "where none can be kept, found 'tick' in test"
    )
    assert "update it in the body" in said


def test_nodes_at_one_path_agree_on_what_it_is() -> None:
    nodes = {"a": COUNT, "n": {"op": "state", "shape": [2], "params": "a"}}
    assert "one node has a int32 state" in faults(nodes)[0]
    nodes = {
        "a": COUNT,
        "n": {"op": "param", "shape": [], "dtype": "int32", "params": "a"},
    }
    assert "another a int32 param" in faults(nodes)[0]


def test_initial_values_fit_the_type() -> None:
    drawn = {**COUNT, "init": {"value": {"name": "normal", "stddev": 1.0}}}
    assert "found normal" in faults({"n": drawn})[0]


LOOP: Data = {"op": "while_loop", "cond": "test", "body": "grow", "carry": {"x": "x"}}


@pytest.mark.parametrize(
    ("more", "test", "text"),
    [
        ({"index": "i"}, {"x": {}},
         "main.n.index: expected an input of grow or test (x, y), found 'i'"),
        ({}, {"z": {}},
         "main.n: expected a value for the input 'z' of test, found none"),
        ({"inputs": {"y": 1, "z": 2}}, {"x": {}},
         "main.n.inputs.z: expected an input of grow or test (x, y), found 'z'"),
        ({"carry": {"x": "x", "z": 1}, "inputs": {"y": 1}}, {"z": {}},
         "main.n.carry.z: expected an input of grow"),
        ({"index": "y", "inputs": {"y": 1}}, {"x": {}},
         "main.n.inputs.y: expected each input once, found one that is given already"),
        ({"inputs": {"y": 1}}, {"y": {"dtype": "key", "optional": True}},
         "main.n: expected test and grow to agree on the input 'y', found a key"),
    ],
)  # fmt: skip
def test_functions_of_a_loop_get_what_they_name(
    more: Data, test: Data, text: str
) -> None:
    functions = {
        "test": function({"go": {"op": "less", "a": 1, "b": next(iter(test))}}, "go",
                         inputs=test),
        "grow": function({"z": {"op": "add", "a": "x", "b": "y"}}, {"x": "z"},
                         inputs={"x": {}, "y": {}}),
    }  # fmt: skip
    given = {"inputs": {"y": 1}} if more == {} else {}
    said = faults({"n": {**LOOP, **given, **more}}, **functions)
    assert any(line.startswith(text) for line in said), said
