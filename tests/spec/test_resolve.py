"""From a Graph to a Program: what is bound, valued, live and merged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sample_specs import CONTROL, GPT, RELU, Data, X, function, spec
from spec.resolving import STAGE, fault, program, step
from work import counted

from blox.schema import Graph, SpecError, from_bytes


def test_the_program_of_a_graph_is_computed_once() -> None:
    graph = Graph.parse(GPT)
    assert graph.program() is graph.program()
    assert Graph.parse(GPT).program() is not graph.program()


def test_expressions_have_their_values() -> None:
    nodes = {
        "a": {"op": "one_hot", "x": "x", "num_classes": "$n // 2"},
        "b": {"op": "elu", "x": "a", "alpha": "$n ** -0.5"},
        "c": {"op": "reshape", "x": "b", "shape": ["$batch", "$n * 2"]},
        "d": {"op": "add", "a": "c", "b": "$n / 3"},
        "e": {"op": "index", "x": "d", "at": "$n - 9, $batch - 1:"},
    }
    result = program(spec(nodes, attributes={"n": 16}))
    found: Any = {s.name: s for s in result.entries["main"].steps}
    assert found["a"].op.num_classes == 8
    assert found["b"].op.alpha == 0.25
    assert found["c"].op.shape == ["$batch", 32]
    assert found["d"].operand("b").value == 16 / 3
    assert found["e"].op.at == [7, ["$batch - 1", None, None]]


def test_literal_lists_have_their_values() -> None:
    data = spec(
        {"r": {"op": "repeat", "function": "f", "count": "$n", "carry": {"y": "x"},
               "xs": {"k": ["$n", 0.5]}}},
        functions={"f": function({"m": {"op": "multiply", "a": "y", "b": "k"}},
                                 {"y": "m"}, {"y": {}, "k": {}})},
        attributes={"n": 2},
    )  # fmt: skip
    assert step(program(data), "r").group("xs")["k"].value == (2, 0.5)
    data["attributes"]["n"] = 3
    assert fault(data) == (
        "argument main.r.xs.k: expected 3 values, one a copy, found 2"
    )


# Calls: arguments, attributes, instances.


def calls(*values: Any) -> Data:
    nodes = {
        f"c{i}": {"op": "call", "function": "stage", "inputs": ["x"],
                  "attributes": {"features": value}}
        for i, value in enumerate(values)
    }  # fmt: skip
    return spec(nodes, functions={"stage": STAGE}, attributes={"eight": 8})


def copies(count: int, **attributes: Any) -> Data:
    """A listed repeat of stages."""
    stage = function(
        {"up": {"op": "linear", "x": "x", "in_features": 8, "out_features": 8},
         "y": {"op": "multiply", "a": "up", "b": "$gain + bias"}},
        {"x": "y"}, attributes=["gain", "bias"],
    )  # fmt: skip
    given = {"gain": 1, "bias": 0} | attributes
    node = {"op": "repeat", "function": "stage", "count": count, "scan": False,
            "carry": {"x": "x"}, "attributes": given}  # fmt: skip
    return spec({"r": node}, functions={"stage": stage})


def test_copies_that_are_alike_are_one_instance_whatever_their_number() -> None:
    found = []
    for count in (10, 40_000):
        graph = Graph.parse(copies(count))
        with counted() as work:
            result = graph.program()
        called = step(result, "r").callee()
        assert (len(called.cycle), called.copies, len(result.instances)) == (
            1,
            count,
            2,
        )
        tree = result.tree["r"]
        assert isinstance(tree, list)
        assert len(called.calls) == len(tree) == count
        assert called.copy(count - 1) is called.instance
        found.append(work.calls)
    assert found[1] < 1.1 * found[0]


def test_lists_cycle_together() -> None:
    result = program(copies(13, gain=[1, 2], bias=[0, 1, 2]))
    called = step(result, "r").callee()
    assert len(called.cycle) == 6
    assert [(i.own["gain"], i.own["bias"]) for i in called.calls] == [
        ([1, 2][i % 2], [0, 1, 2][i % 3]) for i in range(13)
    ]
    assert called.total(lambda i: i.own["gain"]) == 7 * 1 + 6 * 2
    few = step(program(copies(4, gain=[1, 2, 3], bias=[0, 1])), "r").callee()
    assert len(few.cycle) == 4


def test_equal_attributes_share_an_instance() -> None:
    result = program(calls(8, 16, "$eight"))
    first, second, third = (step(result, f"c{i}").callee().instance for i in range(3))
    assert first is third
    assert first is not second
    assert second.own == {"features": 16}
    assert result.leaves()["c1.up.kernel"].shape == (8, 16)
    assert [i.name for i in result.instances] == ["stage", "stage", "main"]


def test_1_and_1_0_are_other_attributes() -> None:
    nodes = {
        f"c{i}": {"op": "call", "function": "f", "attributes": {"v": value}}
        for i, value in enumerate((1, 1.0))
    }
    full = {"op": "full", "shape": [2], "fill_value": "$v", "dtype": "float"}
    inner = function({"n": full}, "n", {}, attributes=["v"])
    result = program(spec(nodes, functions={"f": inner}))
    found = [step(result, f"c{i}").callee().instance.own["v"] for i in range(2)]
    assert [type(v) for v in found] == [int, float]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "expected features for stage, found none"),
        ({"other": 1}, "expected features for stage, found other"),
        (
            {"features": 1, "other": 1},
            "expected features for stage, found features, oth",
        ),
    ],
)
def test_call_attributes(given: Data, why: str) -> None:
    data = calls(8)
    data["functions"]["main"]["nodes"]["c0"]["attributes"] = given
    assert fault(data).startswith(f"call-attributes main.c0.attributes: {why}")


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ({}, "main.a: expected a value for the input 'p' of f, found none"),
        ({"p": "x", "r": "x"}, "main.a.inputs.r: expected an input of f (p, q)"),
        (["x", "x", "x"], "main.a.inputs: expected at most 2 values, found 3"),
        ({"p": [1]}, "form"),
        ({"p": "missing"}, "main.a.inputs.p: expected an input or an earlier node"),
    ],
)
def test_arguments(inputs: Any, why: str) -> None:
    inner = function({"n": {"op": "relu", "x": "p"}}, "n",
                     {"p": {}, "q": {"optional": True}})  # fmt: skip
    data = spec(
        {"a": {"op": "call", "function": "f", "inputs": inputs}},
        functions={"f": inner},
    )
    if why == "form":
        assert fault(data).startswith("argument main.a.inputs.p: expected a reference")
    else:
        assert why in fault(data)


def test_kinds_of_values() -> None:
    rng, drop = {"op": "rng"}, {"op": "dropout", "x": "x", "key": "rng", "rate": 0.1}
    program(spec({"rng": rng, "n": drop}))
    data = spec({"rng": rng, "n": {"op": "relu", "x": "rng"}})
    assert fault(data).startswith(
        "reference-kind main.n.x: expected a tensor, found a k"
    )
    data = spec({"n": {**drop, "key": "x"}})
    assert fault(data) == "reference-kind main.n.key: expected a key, found a tensor"
    inner = function({"n": {**drop, "key": "k"}}, "n", {"x": {}, "k": {"dtype": "key"}})
    data = spec(
        {"c": {"op": "call", "function": "f", "inputs": {"x": "x", "k": 3}}},
        functions={"f": inner},
    )
    assert (
        fault(data) == "reference-kind main.c.inputs.k: expected a key, found a number"
    )


def test_a_key_may_be_absent() -> None:
    inner = function({"n": RELU}, "n", {"x": {}, "k": {"dtype": "key"}})
    data = spec(
        {"rng": {"op": "rng"},
         "c": {"op": "call", "function": "f", "inputs": {"x": "x", "k": "rng"}}},
        functions={"f": inner},
    )  # fmt: skip
    assert fault(data).startswith(
        "reference-optional main.c.inputs.k: expected a value that is always there, "
        "found 'rng', which may be absent"
    )
    inner["inputs"]["k"]["optional"] = True
    program(data)


MASK = {"mask": {"shape": ["batch", 8], "dtype": "bool", "optional": True}}


def test_optional_values_reach_optional_operands_only() -> None:
    clip = {"op": "clip", "x": "x", "min": "mask"}
    assert (
        step(program(spec({"n": clip}, inputs={**X, **MASK})), "n")
        .operand("min")
        .optional
    )
    data = spec({"n": {"op": "add", "a": "x", "b": "mask"}}, inputs={**X, **MASK})
    assert fault(data).startswith("reference-optional main.n.b: expected a value that")
    data = spec({"n": RELU}, "mask", inputs={**X, **MASK})
    assert fault(data).startswith("reference-optional main.outputs.y: expected a value")
    default = {"op": "default", "x": "mask", "default": 1}
    nodes = {"m": default, "n": {"op": "add", "a": "x", "b": "m"}}
    program(spec(nodes, inputs={**X, **MASK}))


def test_optional_inputs_come_last() -> None:
    data = spec({"n": RELU}, inputs={**MASK, **X})
    assert fault(data) == (
        "input-order main.inputs.x: expected optional inputs last, found this after"
    )


# Dims.


def test_dims_are_bound_by_what_is_always_there() -> None:
    inputs: Data = {
        "a": {"shape": ["...", "n", "_"], "dtype": "float"},
        "b": {"shape": ["n", "m", "$two"], "dtype": "float"},
        "c": {"shape": ["m", "n"], "dtype": "float", "optional": True},
    }
    nodes = {"n": {"op": "reshape", "x": "a", "shape": ["$n", "$m"]}}
    data = spec(nodes, inputs=inputs, attributes={"two": 2})
    assert program(data).entries["main"].dims == {"n": ("a", -2), "m": ("b", 1)}
    inputs["c"]["shape"] = ["k"]
    assert fault(data).startswith(
        "dim-optional main.inputs.c.shape: expected an input that is always there to "
        "bind 'k', found optional ones only"
    )
    inputs["c"]["shape"] = ["...", "..."]
    assert fault(data) == "shape main.inputs.c.shape: expected `...` at most once"


def test_bounds_and_constraints() -> None:
    data = spec({"n": RELU}, attributes={"most": 9}, dims={"batch": {"max": "$most"}})
    program({**data, "constraints": ["batch >= 2", "most == 9"]})
    for constraints, why in (
        (
            ["most == 8"],
            "constraint constraints.0: expected 'most == 8', found 9 and 8",
        ),
        (["other > 1"], "expression constraints.0: expected attributes and dims of"),
    ):
        assert fault({**data, "constraints": constraints}).startswith(why)
    data["dims"]["batch"] = {"max": "$batch"}
    assert fault(data).startswith("expression dims.batch.max: no attribute or dim is")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"shape": None}, "entry-input main.inputs.x: expected a shape and a dtype"),
        (
            {"dtype": None},
            "entry-input main.inputs.x: expected a shape and a dtype, as this is an "
            "input of an entry, found no dtype; write {'shape': ['batch', 8], ",
        ),
    ],
)
def test_entries_are_typed(change: Data, why: str) -> None:
    inputs = {"x": {**X["x"], **change}}
    assert fault(spec({"n": RELU}, inputs=inputs)).startswith(why)


def test_entries_have_no_attributes() -> None:
    data = spec({"n": RELU})
    data["functions"]["main"]["attributes"] = ["k"]
    with pytest.raises(SpecError, match="main: expected an entry without attributes"):
        program(data)


def test_carries_are_returned() -> None:
    data = spec(
        {"r": {"op": "repeat", "function": "f", "count": 2, "carry": {"x": "x"}}},
        functions={"f": function({"n": RELU}, {"z": "n"})},
    )
    assert fault(data) == (
        "carry main.r.carry.x: expected f to return the next 'x', found z"
    )


# Liveness and state.

BATCH: Data = {"op": "batch_norm", "x": "x", "features": 8}


def test_what_nothing_uses_is_dead_unless_it_has_state() -> None:
    result = program(spec({"idle": RELU, "norm": BATCH, "n": RELU}, "n"))
    live = [s.name for s in result.entries["main"].live_steps]
    assert live == ["norm", "n"]
    assert result.entries["main"].stateful


@pytest.mark.parametrize(
    ("second", "merges"),
    [("a", True), ("b", False), ("a.inner", False), (".", True), (None, False)],
)
def test_state_is_merged_where_an_earlier_step_may_have_written(
    second: str | None, merges: bool
) -> None:
    inner = function({"norm": BATCH}, "norm")
    call = {"op": "call", "function": "f", "inputs": ["x"]}
    outer = {"a": function({"norm": BATCH}, "norm")}
    nodes: Data = {"a": call, "b": {**call, "params": second}}
    if second == ".":
        # The callee's own `a` lies where the first call's state lies.
        nodes["b"]["function"] = "g"
        outer = {"g": function({"a": {**call, "function": "f"}}, "a")}
    if second == "a.inner":
        nodes["a"] = {**call, "params": "a.other"}
    data = spec(nodes, "b", functions={"f": inner, **outer})
    if second != ".":
        data["functions"].pop("a")
    assert step(program(data), "b").merges is merges
    assert not step(program(data), "a").merges


def test_msgpack_and_json_give_one_program() -> None:
    graph = Graph.parse(CONTROL)
    again = from_bytes(json.dumps(graph.plain()).encode())
    assert repr(again.program().leaves()) == repr(graph.program().leaves())


def test_a_list_of_attributes_knows_no_dims() -> None:
    repeat = {"op": "repeat", "function": "f", "count": 2, "carry": {"x": "x"},
              "scan": False, "attributes": {"k": [1, "$batch"]}}  # fmt: skip
    inner = function({"n": {"op": "add", "a": "x", "b": "$k"}}, {"x": "n"})
    inner["attributes"] = ["k"]
    assert fault(spec({"r": repeat}, functions={"f": inner})).startswith(
        "call-attributes main.r.attributes.k: expected a value that no dim decides"
    )
