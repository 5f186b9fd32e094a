"""Files that mean harm: each is refused by typed errors of one line, at once."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from packing import pack
from sample_specs import GPT, RELU, TINY, Data, X, function, spec
from spec.hostile_fields import FORM
from spec.hostile_nodes import BIG, call, chain, changed, doubling, loop, named, node
from work import counted

from blox.schema import SpecError, from_bytes


def doubling_differently(i: int) -> Data:
    return {
        "a": call(f"f{i - 1}", attributes={"k": "$2 * k"}),
        "b": call(f"f{i - 1}", "a", attributes={"k": "$2 * k + 1"}),
    }


def squaring(i: int) -> Data:
    return {"a": call(f"f{i - 1}", attributes={"k": "$k * k"})}


def nested_loops(i: int) -> Data:
    return {"a": {**loop(f"f{i - 1}", 2), "carry": {"x": "x"}}}


def loops() -> Data:
    functions = {"f0": function({"a": RELU}, {"x": "a"})}
    for i in range(1, 41):
        functions[f"f{i}"] = function(nested_loops(i), {"x": "a"})
    return functions


def variants(count: int, nodes: int) -> Data:
    """One function of many nodes, called with other attributes each time."""
    calls = {
        f"c{i}": call("f", attributes={"k": i, "m": 1}, params=".")
        for i in range(count)
    }
    body = {f"n{i}": {"op": "multiply", "a": "x", "b": "$k"} for i in range(nodes)}
    return spec(
        calls,
        functions={"f": function(body, f"n{nodes - 1}", attributes=["k", "m"])},
    )


def param(shape: list[Any], **more: Any) -> Data:
    return spec({"w": {"op": "param", "shape": shape, **more}})


NAMES: list[tuple[str, Any, str, str]] = [
    (f"node {ascii(bad)[:20]} of {len(bad)}", named(bad), "field-value", "expected a")
    for bad in (
        "a\n", "a\nb", 'a"', "a'", "a\\", "{{a}}", "{% a %}", "a_", "_a", "__init__", "",
        "1a", "a-b", "a b", "a.b", "\u0430bc", "\uff41", "e\u0301", "\u00e9", "a\u202eb",
        "a\x00", "\x1b[2J", "<b>", "[red]", "a:b", "../a", "a" * 65, "a" * 60_000,
    )
] + [
    ("node that is a keyword", named("lambda"), "field-value", "no Python keyword"),
    ("node relu_", named("relu_"), "field-value", "found 'relu_'"),
    ("function that is a module", changed("functions/jax", function({"a": RELU}, "a")),
     "name-reserved", "jax: expected a name that shadows no"),
    ("function that is a builtin", changed("functions/print", function({}, "x")),
     "name-reserved", "print: expected a name that shadows no"),
    ("function that files define", changed("functions/load_params", function({}, "x")),
     "name-reserved", "load_params"),
    ("function that is an op", spec({"a": call("relu")}, functions={
        "relu": function({"b": {"op": "relu", "x": "x"}}, "b")}),
     "name-shadows", "relu: expected a name that is no op of this file"),
    ("function named as the model", {**GPT, "name": "mlp"}, "name-shadows",
     "name: expected a name that no function has"),
    ("model that is an op", {**GPT, "name": "gelu"}, "name-shadows", "no op of this"),
    ("model that is a module", {**GPT, "name": "numpy"}, "name-reserved", "name:"),
    ("input that is a builtin", spec({"n": {"op": "relu", "x": "input"}}, inputs={
        "input": {"shape": [1], "dtype": "float"}}), "name-reserved",
     "main.inputs.input: expected a name that shadows no"),
    ("input named params", spec({"n": RELU}, inputs={**X, "params": {}}),
     "name-reserved", "main.inputs.params"),
    ("attribute that is a builtin", {**GPT, "attributes": {"len": 1}},
     "name-reserved", "attributes.len"),
    ("attribute that is a keyword", {**GPT, "attributes": {"if": 1}}, "field-value",
     "attributes.if"),
    ("dim that is a builtin", spec({"n": RELU}, inputs={
        "x": {"shape": ["len"], "dtype": "float"}}), "name-reserved", "found 'len'"),
    ("node named as an input", spec({"x": RELU}), "name-twice", "main.x: expected a new"),
    ("attribute named as an input", spec({"a": call("f", attributes={"x": 1})},
        functions={"f": function({"b": RELU}, "b", attributes=["x"])}), "name-twice",
     "f.attributes: expected a new name, found 'x', which is an input"),
    ("attribute twice", spec({"a": call("f", attributes={"k": 1})},
        functions={"f": function({"b": RELU}, "b", attributes=["k", "k"])}),
     "name-twice", "which is another attribute"),
    ("attribute of graph and function", {**spec({"a": call("f", attributes={"k": 1})},
        functions={"f": function({"b": RELU}, "b", attributes=["k"])}),
        "attributes": {"k": 1}}, "name-twice", "which is an attribute of the graph"),
    ("dim named as an attribute", changed("functions/main/inputs/tokens/shape",
        ["batch", "width"]), "name-twice", "write '$width' for its value"),
    ("entry twice", {**TINY, "entries": ["main", "main"]}, "entry-twice", "entries.1"),
    ("entry that is none", {**TINY, "entries": ["other"]}, "entry-unknown",
     "entries.0: expected the name of a function, found 'other'"),
    ("output name", spec({"n": RELU}, {"a b": "n"}), "field-value", "main.outputs.'a b'"),
]  # fmt: skip

GRAPHS: list[tuple[str, Any, str, str]] = [
    ("calls itself", spec({"a": call("main")}), "cycle", "main: expected calls without"),
    ("calls in a circle", spec({"a": call("f")}, functions={
        "f": function({"a": call("g")}, "a"), "g": function({"a": call("f")}, "a")}),
     "cycle", "expected calls without a cycle"),
    ("circle of branches", spec({"a": call("f")}, functions={"f": function({"a": {
        "op": "cond", "predicate": "x", "then": "f", "else": "f",
        "inputs": {"x": "x"}}}, "a")}), "cycle", "without a cycle"),
    ("circle beside the entry", spec({"n": RELU}, functions={
        "f": function({"a": call("f")}, "a")}), "cycle", "f: expected calls without"),
    ("no such function", spec({"a": call("nothing")}), "function-unknown",
     "main.a.function: expected the name of a function, found 'nothing'"),
    ("dangling reference", node(op="relu", x="nothing"), "reference-unknown",
     "main.n.x: expected an input or an earlier node, found 'nothing'"),
    ("forward reference", spec({"a": {"op": "relu", "x": "b"}, "b": RELU}),
     "reference-forward", "`blox fmt --reorder` restores an order"),
    ("node of itself", spec({"a": {"op": "relu", "x": "a"}}), "reference-forward", "a"),
    ("node of another function", spec({"a": {"op": "relu", "x": "inner"}}, functions={
        "f": function({"inner": RELU}, "inner")}), "reference-unknown", "'inner'"),
    ("dangling output", spec({"n": RELU}, "nothing"), "reference-unknown",
     "main.outputs.y: expected an input or an earlier node"),
    ("part of one output", spec({"n": RELU}, "n.other"), "reference-output",
     "expected an output of 'n' (out), found 'other'"),
    ("part of an input", node(op="relu", x="x.real"), "reference-output", "no parts"),
    ("numbers only", node(op="add", a=1, b=2), "operand", "found literals only"),
    ("chains that double 40 times", spec({"a": call("f40")},
        functions=chain(40, doubling)), "too-large", "at most 200000 nodes"),
    ("doubling with other attributes", spec({"a": call("f40", attributes={"k": 1})},
        functions=chain(40, doubling_differently, attributes=["k"])), "too-large",
     "at most 2000 variants of functions"),
    ("attributes that square", spec({"a": call("f40", attributes={"k": 3})},
        functions=chain(40, squaring, attributes=["k"])), "expression",
     "beyond 64 bits"),
    ("65 calls deep", spec({"a": call("f64")},
        functions=chain(64, lambda i: {"a": call(f"f{i - 1}")})), "call-depth",
     "at most 64 deep, found 66"),
    ("2000 calls deep", spec({"a": call("f2000")},
        functions=chain(2_000, lambda i: {"a": call(f"f{i - 1}")})), "call-depth",
     "at most 64 deep"),
    ("2**40 steps", spec({"a": loop("f", BIG)}, functions={
        "f": function({"n": {"op": "relu", "x": "y"}}, "n", {"y": {}})}), "too-large",
     "at most 1000000000000 steps"),
    ("nested repeats of 2**40 steps", spec({"a": {**loop("f40", 2),
        "carry": {"x": "x"}}}, functions=loops()), "too-large",
     "at most 1000000000000 steps"),
    ("2**40 copies", spec({"a": loop("f", BIG, scan=False)}, functions={
        "f": function({"n": {"op": "relu", "x": "y"}}, "n", {"y": {}})}), "too-large",
     "main.a.count: expected a count of at most 200000 copies"),
    ("copies by copies", spec({"a": loop("g", 1000, scan=False)}, functions={
        "g": function({"n": {**loop("f", 1000, scan=False), "carry": {"y": "y"}}},
                      "n", {"y": {}}),
        "f": function({"n": {"op": "relu", "x": "y"}}, "n", {"y": {}})}), "too-large",
     "at most 200000 nodes"),
    ("2**62 steps of a scan", spec({"a": {"op": "scan", "function": "f",
        "carry": {"y": "x"}, "length": 2**62}}, functions={
        "f": function({"n": {"op": "relu", "x": "y"}}, "n", {"y": {}})}), "too-large",
     "steps, found more"),
    ("many variants of a large function", variants(50, 600), "too-large",
     "at most 20000 nodes"),
    ("division by zero", node(op="one_hot", x="x", num_classes="$1 // 0"), "expression",
     "main.n.num_classes: division by zero"),
    ("division by a zero", {**node(op="elu", x="x", alpha="$1 / zero"),
        "attributes": {"zero": 0}}, "expression", "main.n.alpha: division by zero"),
    ("division by zero in an operand", node(op="add", a="x", b="$1 / 0"), "expression",
     "main.n.b: division by zero"),
    ("division by zero in a shape", spec({"n": RELU}, inputs={
        "x": {"shape": ["$1 // 0"], "dtype": "float"}}), "expression",
     "main.inputs.x.shape: division by zero"),
    ("division by zero in bounds", {**GPT, "dims": {"seq": {"max": "$1 // 0"}}},
     "expression", "dims.seq.max: division by zero"),
    ("division by zero in a constraint", {**GPT, "constraints": ["1 // 0 > 0"]},
     "expression", "constraints.0: "),
    ("power that explodes", node(op="elu", x="x", alpha="$9 ** 9 ** 9"), "expression",
     "beyond 64 bits"),
    ("name that is none", node(op="elu", x="x", alpha="$beta"), "expression",
     "expected an attribute or a dim, found 'beta'"),
    ("size 0", param([0]), "attribute", "expected at least 1, found 0"),
    ("size -1", param([-1]), "attribute", "expected at least 1, found -1"),
    ("size from attributes", {**param(["$n - 5"]), "attributes": {"n": 5}},
     "attribute", "main.w.shape: expected at least 1, found 0"),
    ("features 0", node(op="linear", x="x", in_features=0, out_features=1),
     "attribute", "main.n.in_features: expected at least 1, found 0"),
    ("negative count", spec({"a": loop("f", -1)}, functions={
        "f": function({"n": {"op": "relu", "x": "y"}}, "n", {"y": {}})}), "attribute",
     "main.a.count: expected at least 0, found -1"),
    ("shape that overflows", param([2**62, 2**62, 2**62]), "too-large",
     "w: expected at most 1099511627776 elements"),
    ("kernel that overflows", node(op="linear", x="x", in_features=2**62,
        out_features=2**62), "too-large", "n.kernel: expected at most"),
    ("stacks that overflow", spec({"a": {**loop("f", 2**20), "carry": {"x": "x"}}},
        functions={"f": function({"n": {"op": "linear", "x": "x",
        "in_features": 2**15, "out_features": 2**15}}, {"x": "n"})}), "too-large",
     "a.n.kernel: expected at most"),
    ("input that overflows", spec({"n": RELU}, inputs={
        "x": {"shape": [2**40, 2**40], "dtype": "float"}}), "too-large",
     "main.inputs.x.shape: expected at most"),
    ("negative input", {**spec({"n": RELU}, inputs={
        "x": {"shape": ["$n - 9"], "dtype": "float"}}), "attributes": {"n": 1}},
     "shape", "main.inputs.x.shape: expected sizes of at least 0"),
    ("size of a dim", spec({"w": {"op": "param", "shape": ["$batch"]}, "n": RELU}),
     "parameter-size", "main.w.shape: expected a size that no dim decides"),
    ("path `.` for an array", param([1], params="."), "parameter-path", "found `.`"),
    ("array within an array", spec({"w": {"op": "param", "shape": [1]},
        "v": {"op": "param", "shape": [1], "params": "w.v"}}), "parameter-conflict",
     "w: one node has an array here, another a group"),
    ("bounds that hold nothing", {**GPT, "dims": {"seq": {"min": 9, "max": 3}}},
     "bounds", "dims.seq: expected min to be at most max, found 9 and 3"),
    ("multiple of 0", {**GPT, "dims": {"seq": {"multiple_of": 0}}}, "bounds",
     "dims.seq.multiple_of: expected at least 1, found 0"),
    ("constraint that is false", {**GPT, "constraints": ["width < heads"]},
     "constraint", "expected 'width < heads', found 64 and 4"),
    ("full of 2**62", node(op="full", shape=[2**62, 2**62], fill_value=0,
        dtype="float"), "attribute", "main.n.shape: expected at most"),
    ("zeros of 2**40", node(op="zeros", shape=["$n * n"], dtype="float")
        | {"attributes": {"n": 2**20}}, "attribute", "main.n.shape: expected at most"),
    ("tile of 2**62", node(op="tile", x="x", reps=[2**31, 2**31]), "attribute",
     "main.n.reps: expected at most"),
    ("pad of 2**62", node(op="pad", x="x", pad_width=[[2**62, 2**62]]), "attribute",
     "main.n.pad_width: expected at most"),
    ("arange of 2**62", node(op="arange", stop=2**62), "attribute",
     "main.n.stop: expected at most"),
    ("arange that stands", node(op="arange", stop=5, step=0), "attribute", "main.n.step"),
    ("one_hot of 2**62", node(op="one_hot", x="x", num_classes=2**62), "attribute",
     "main.n.num_classes: expected at most"),
    ("broadcast to 2**62", node(op="broadcast_to", x="x", shape=[2**62]), "attribute",
     "main.n.shape: expected at most"),
    ("repeat_elements of 2**62", node(op="repeat_elements", x="x", repeats=2**62,
        axis=0), "attribute", "main.n.repeats: expected at most"),
    ("literal beyond its dtype", node(op="constant", value=300, dtype="uint8"),
     "attribute", "main.n.value: expected integers within uint8, found 300"),
    ("index that is code", node(op="index", x="x", at="__import__('os')"),
     "field-value", "main.n.at: expected"),
    ("equation that is code", node(op="einsum", xs=["x"], equation="$open()->i"),
     "attribute", "main.n.equation: expected subscripts"),
]  # fmt: skip

ALL = [*FORM, *NAMES, *GRAPHS]


def refused(data: bytes) -> tuple[SpecError, int]:
    """The error and the peak of memory in bytes."""
    tracemalloc.start()
    try:
        with pytest.raises(SpecError) as caught:
            from_bytes(data).program()
        return caught.value, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("data", "code", "why"), [row[1:] for row in ALL], ids=[row[0] for row in ALL]
)
def test_refused(data: Any, code: str, why: str) -> None:
    raw = json.dumps(data).encode()
    with counted() as work, pytest.raises(SpecError) as caught:
        from_bytes(raw).program()
    error = caught.value
    text = str(error)
    lines = text.split("\n")
    assert len(lines) == len(error.diagnostics)
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert all(len(line) < 1000 for line in lines)
    assert why in text
    assert any(found.code.startswith(code) for found in error.diagnostics)
    assert work.calls < 10 * len(raw) + 5_000_000
    if work.calls < 100_000:  # tracing makes the same work many times as long
        packed = pack(data) if isinstance(data, dict) else raw
        again, peak = refused(packed)
        assert str(again) == text
        assert peak < 100 * len(raw) + 8 * 2**20


def test_names_are_unique_rows() -> None:
    assert len({row[0] for row in ALL}) == len(ALL)
