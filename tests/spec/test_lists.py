"""Lists of arrays in a Graph: what is written, where they may flow, how many there are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sample_specs import Data, function, spec

from blox.schema import Graph, SpecError, from_bytes
from blox.schema.write.canonical import to_json

X: Data = {"shape": ["batch", 4], "dtype": "float"}
LIST: Data = {**X, "copies": 3}
BLOCK = function({"a": {"op": "add", "a": "x", "b": "k"}}, {"x": "a", "k": "a"})
BLOCK["inputs"] = {"x": {}, "k": {}}
H: Data = {
    "op": "repeat", "function": "block", "count": 3, "scan": False,
    "carry": {"x": "x"}, "xs": {"k": "k"}, "listed": ["k"],
}  # fmt: skip
HANDED = function({"n": {"op": "relu", "x": "x"}}, {"x": "n", "k": "k"})
HANDED["inputs"] = {"x": {}, "k": {"copies": 3}}


def made(
    nodes: Data | None = None,
    outputs: Any = None,
    k: Data = LIST,
    inputs: Data | None = None,
    **functions: Data,
) -> Data:
    """A spec whose main takes x and the list k."""
    return spec(
        {"h": H} if nodes is None else nodes,
        {"x": "h.x", "k": "h.k"} if outputs is None else outputs,
        inputs={"x": X, "k": k} if inputs is None else inputs,
        functions={"block": BLOCK, **functions},
    )


def test_written_and_read() -> None:
    graph = Graph.parse(
        made(k={**X, "copies": "$depth"}) | {"attributes": {"depth": 3}}
    )
    text = to_json(graph)
    assert '"k": {"shape": ["batch", 4], "dtype": "float", "copies": "$depth"}' in text
    assert '"listed": ["k"]' in text
    assert from_bytes(text.encode()) == graph
    entry = graph.program().entries["main"]
    assert (entry.input_copies, entry.output_copies) == ({"k": 3}, {"k": 3})


def test_what_has_no_list_is_written_as_before() -> None:
    nodes = {"h": {**H, "listed": [], "xs": {"k": "rows"}}}
    data = made(nodes, {"x": "h.x"}, inputs={"x": X, "rows": {**X, "shape": [3, 4]}})
    assert "listed" not in json.dumps(Graph.parse(data).plain())


RELU: Data = {"op": "relu", "x": "k"}
ROWS: Data = {"x": X, "k": {"shape": [3, 4], "dtype": "float"}}
HINT = (
    "; a list goes to xs of a `repeat` that is not scanned, to inputs with `copies`, and "
    "to outputs"
)
TENSOR = f"expected a tensor, found a list{HINT}"
CALL: Data = {"op": "call", "function": "handed", "inputs": {"x": "x", "k": "k"}}
FAULTS: dict[str, tuple[Data, str]] = {
    "operand": (made({"h": H, "n": RELU}, {"n": "n"}), f"main.n.x: {TENSOR}"),
    "operand, of a node": (
        made({"h": H, "n": {**RELU, "x": "h.k"}}, {"n": "n"}), f"main.n.x: {TENSOR}",
    ),
    "scanned": (
        made({"h": {**H, "scan": True, "listed": []}}), f"main.h.xs.k: {TENSOR}",
    ),
    "carry": (
        made({"h": {**H, "carry": {"x": "x", "k": "k"}, "xs": {}, "listed": []}}),
        f"main.h.carry.k: {TENSOR}",
    ),
    "an array for a list": (
        made({"h": CALL}, inputs=ROWS, handed=HANDED),
        "main.h.inputs.k: expected a list, found a tensor",
    ),
    "a number for a list": (
        made({"h": {**CALL, "inputs": {"x": "x", "k": 1.0}}}, handed=HANDED),
        "main.h.inputs.k: expected a list, found a number",
    ),
    "a list for an array": (
        made({"h": {**CALL, "function": "block"}}), f"main.h.inputs.k: {TENSOR}",
    ),
    "a list for each copy": (
        made({"h": {**H, "function": "handed", "listed": []}}, handed=HANDED),
        "main.h.xs.k: expected an input that is an array, found the list k; `inputs` "
        "gives a list to all steps of a loop\n"
        "main.h: expected handed to return arrays, as a loop or branch runs it, found "
        "the list k",
    ),
    "keys": (
        made(k={"shape": [], "dtype": "key", "copies": 3}),
        "main.inputs.k.copies: expected a list of arrays, found one of keys",
    ),
    "listed under scan": (
        made({"h": {**H, "scan": True}}, inputs=ROWS),
        "main.h.listed: expected none under scan, whose outputs are stacked, found ['k']",
    ),
    "listed carry": (
        made({"h": {**H, "listed": ["x"]}}),
        "main.h.listed.0: expected each output that is no carry once (k), found 'x'",
    ),
    "listed twice": (
        made({"h": {**H, "listed": ["k", "k"]}}),
        "main.h.listed.1: expected each output that is no carry once (k), found 'k'",
    ),
    "listed nothing": (
        made({"h": {**H, "listed": ["z"]}}),
        "main.h.listed.0: expected each output that is no carry once (k), found 'z'",
    ),
    "other counts": (
        made(k={**X, "copies": 4}),
        "main.h.xs.k: expected a list of 3 arrays, found one of 4",
    ),
    "other counts in a call": (
        made({"h": CALL}, k={**X, "copies": 2}, handed=HANDED),
        "main.h.inputs.k: expected a list of 3 arrays, found one of 2",
    ),
    "the next of another count": (
        made(
            outputs={"k": {"value": "h.k", "next": "n"}},
            inputs={"x": X, "k": LIST, "n": {**X, "copies": 2}},
        ),
        "main.outputs.k.next: expected a list of 2 arrays as n is, found one of 3",
    ),
    "an array as the next of a list": (
        made(outputs={"x": {"value": "h.x", "next": "k"}}),
        "main.outputs.x.next: expected an input that is an array, as the output is, found "
        "a list",
    ),
    "a list as the next of an array": (
        made(outputs={"k": {"value": "h.k", "next": "x"}}),
        "main.outputs.k.next: expected an input that is a list, as the output is, found "
        "an array",
    ),
    "none": (
        made(k={**X, "copies": 0}), "main.inputs.k.copies: expected at least 1, found 0",
    ),
    "by a dim": (
        made(k={**X, "copies": "$batch"}),
        "main.inputs.k.copies: expected a number that no dim decides, found '$batch'",
    ),
    "by nothing": (
        made(k={**X, "copies": "$depth"}),
        "main.inputs.k.copies: expected an attribute or a dim, found 'depth', which is "
        "none here",
    ),
    "too many": (
        made({"n": {"op": "relu", "x": "x"}}, {"n": "n"}, k={**X, "copies": 10**9}),
        "main.inputs: expected at most 100000 arrays in lists, found 1000000000",
    ),
    "too many together": (
        made(
            {"n": {"op": "relu", "x": "x"}},
            {"n": "n"},
            inputs={"x": X, **{f"k{i}": {**X, "copies": 50_001} for i in range(2)}},
        ),
        "main.inputs: expected at most 100000 arrays in lists, found 100002",
    ),
    "branches of other kinds": (
        made(
            {
                "t": {"op": "any", "x": "x"},
                "h": {
                    "op": "cond", "predicate": "t", "then": "handed", "else": "block",
                    "inputs": {"x": "x", "k": "k"},
                },
            },
            handed=HANDED,
        ),
        f"main.h.inputs.k: {TENSOR}\n"
        "main.h: expected handed and block to have the same inputs\n"
        "main.h: expected handed to return arrays, as a loop or branch runs it, found "
        "the list k",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "text"), FAULTS.values(), ids=list(FAULTS))
def test_faults(data: Data, text: str) -> None:
    with pytest.raises(SpecError) as caught:
        Graph.parse(data).program()
    assert str(caught.value) == text


@pytest.mark.parametrize("copies", ["three", 1.5, True, [3], -(2**63) - 1])
def test_no_number(copies: Any) -> None:
    with pytest.raises(SpecError, match=r"main\.inputs\.k\.copies: expected"):
        Graph.parse(made(k={**X, "copies": copies})).program()


def test_a_body_of_an_op_gets_none() -> None:
    nodes = {"h": {"op": "acme:handed", "x": "x", "k": "k"}}
    data = made(nodes, handed=HANDED) | {"ops": {"acme:handed": "handed"}}
    with pytest.raises(SpecError, match="a body without lists, found the input k"):
        Graph.parse(data).program()
