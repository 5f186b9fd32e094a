"""Files that mean harm: each is refused by typed errors of one line, at once."""

from __future__ import annotations

import copy
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from packing import pack
from sample_specs import GPT, RELU, TINY, Data, X, function, spec
from work import counted

from blox.schema import SpecError, from_bytes

BIG = 2**40


def call(name: str, x: str = "x", **more: Any) -> Data:
    return {"op": "call", "function": name, "inputs": {"x": x}, **more}


def loop(name: str, count: Any, **more: Any) -> Data:
    return {
        "op": "repeat", "function": name, "count": count, "carry": {"y": "x"}, **more,
    }  # fmt: skip


def without(key: str) -> Data:
    return {k: v for k, v in GPT.items() if k != key}


def changed(path: str, value: Any, base: Data = GPT) -> Data:
    """The spec with another value at `a/b/c`."""
    data: Any = copy.deepcopy(base)
    *outer, last = path.split("/")
    part = data
    for key in outer:
        part = part[key]
    part[last] = value
    return dict(data)


def node(**fields: Any) -> Data:
    return spec({"n": fields})


def named(name: str) -> Data:
    """A graph with a node of that name."""
    return spec({name: RELU, "z": {"op": "relu", "x": "x"}}, "z")


def chain(depth: int, node: Callable[[int], Data], **more: Any) -> Data:
    """`f0` is a relu; `f1`, ... each have the nodes that `node` gives."""
    functions = {"f0": function({"a": RELU}, "a", **more)}
    for i in range(1, depth + 1):
        functions[f"f{i}"] = function(node(i), list(node(i))[-1], **more)
    return functions


def doubling(i: int) -> Data:
    return {"a": call(f"f{i - 1}"), "b": call(f"f{i - 1}", "a")}


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


FORM: list[tuple[str, Any, str, str]] = [
    ("a list", [], "field-value", "expected an object, found a list"),
    ("a text", "graph", "field-value", "expected an object, found 'graph'"),
    ("null", None, "field-value", "expected an object, found null"),
    ("no format", without("format"), "format-missing", 'add "format": "blox/1"'),
    ("format 2", {**GPT, "format": "blox/2"}, "format-version",
     "format: this blox reads 'blox/1', found 'blox/2'; upgrade blox-format"),
    ("format 1.0", {**GPT, "format": 1.0}, "format-version", "found 1.0"),
    ("format null", {**GPT, "format": None}, "format-version", "found None"),
    ("format list", {**GPT, "format": ["blox/1"]}, "format-version", "found ['blox/1']"),
    ("no name", without("name"), "field-missing", "name: expected this field"),
    ("no functions", without("functions"), "field-missing", "functions: expected"),
    ("unknown field", {**GPT, "evil": 1}, "field-unknown",
     "evil: expected no such field"),
    ("unknown field of a function", changed("functions/mlp/exec", "x"),
     "field-unknown", "mlp.exec: expected no such field"),
    ("unknown field of a node", node(op="relu", x="x", module="os"),
     "field-unknown", "main.n.module: expected no such field"),
    ("unknown field of metadata", {**TINY, "metadata": {"url": "x"}},
     "field-unknown", "metadata.url"),
    ("unknown op", node(op="os.system", x="x"), "op-unknown",
     "main.n: expected the name of an op, found 'os.system'"),
    ("misspelt op", node(op="leaky_rellu", x="x"), "op-unknown",
     "did you mean 'leaky_relu'?"),
    ("op of another case", node(op="Relu", x="x"), "op-unknown", "found 'Relu'"),
    ("op version", node(op="relu@2", x="x"), "op-unknown",
     "main.n: expected `relu` at version 1, found version 2; this file needs a newer"),
    ("version of no op", node(op="foo@2", x="x"), "op-unknown", "found 'foo@2'"),
    ("op of others", node(op="acme:rope", x="x"), "op-unregistered", "'acme:rope'"),
    ("no op", node(x="x"), "op-unknown", "in `op`, found none"),
    ("op is a list", node(op=["relu"], x="x"), "op-unknown", "found a list"),
    ("op with a newline", node(op="relu\n", x="x"), "op-unknown", r"'relu\n'"),
    ("op with an escape", node(op="\x1b[31m", x="x"), "op-unknown", r"\x1b[31m"),
    ("very long op", node(op="a" * 60_000, x="x"), "op-unknown", "aaa..."),
    ("node is a list", spec({"n": []}), "field-value", "main.n: expected an object"),
    ("true for an integer", node(op="one_hot", x="x", num_classes=True, axis=-1),
     "field-value", "main.n.num_classes: expected a 64-bit integer or an expression"),
    ("1.0 for an integer", node(op="one_hot", x="x", num_classes=1.0),
     "field-value", "found 1.0"),
    ("'1' for an integer", node(op="one_hot", x="x", num_classes="1"),
     "field-value", "found '1'"),
    ("null for an integer", node(op="one_hot", x="x", num_classes=None),
     "field-value", "found null"),
    ("list for an integer", node(op="one_hot", x="x", num_classes=[1]),
     "field-value", "found a list"),
    ("1 for true", node(op="gelu", x="x", approximate=1), "field-value",
     "main.n.approximate: expected true or false, found 1"),
    ("'true' for true", node(op="gelu", x="x", approximate="true"), "field-value",
     "found 'true'"),
    ("true for a number", node(op="elu", x="x", alpha=True), "field-value", "true"),
    ("text for a number", node(op="elu", x="x", alpha="1.0"), "field-value", "'1.0'"),
    ("true for an operand", node(op="add", a="x", b=True), "field-value",
     "main.n.b: expected a reference or a number, found true"),
    ("object for an operand", node(op="add", a="x", b={}), "field-value", "object"),
    ("reference that is none", node(op="relu", x="x.y.z"), "field-value", "x.y.z"),
    ("reference with a newline", node(op="relu", x="x\n"), "field-value", r"'x\n'"),
    ("reference to a private", node(op="relu", x="__class__"), "field-value", "__"),
    ("text for a dtype", node(op="astype", x="x", dtype="object"), "field-value",
     "found 'object'"),
    ("path upwards", node(op="linear", x="x", params=".."), "field-value", "'..'"),
    ("path from the root", node(op="linear", x="x", params="/etc"), "field-value", "/etc"),
    ("empty part of a path", node(op="linear", x="x", params="a..b"), "field-value", ".."),
    ("attribute true", {**GPT, "attributes": {"a": True}}, "field-value",
     "attributes.a: expected a finite number of at most 64 bits, found true"),
    ("attribute text", {**GPT, "attributes": {"a": "1"}}, "field-value", "found '1'"),
    ("attribute null", {**GPT, "attributes": {"a": None}}, "field-value", "null"),
    ("negative dim", spec({"n": RELU}, inputs={"x": {"shape": [-1]}}), "field-value",
     "main.inputs.x.shape.0: expected a size of at least 0, found -1"),
    ("dim that is true", spec({"n": RELU}, inputs={"x": {"shape": [True]}}), "field-value",
     "found true"),
    ("dim that is code", spec({"n": RELU}, inputs={"x": {"shape": ["a()"]}}),
     "field-value", "found 'a()'"),
    ("dim that is a keyword", spec({"n": RELU}, inputs={"x": {"shape": ["class"]}}),
     "field-value", "found 'class'"),
    ("33 axes", spec({"n": RELU}, inputs={"x": {"shape": [1] * 33}}), "field-value",
     "main.inputs.x.shape"),
    ("bound that is no number", {**GPT, "dims": {"seq": {"max": "context"}}},
     "field-value", "dims.seq.max: expected a 64-bit integer"),
    ("constraint that is code", {**GPT, "constraints": ["exit() > 0"]},
     "field-value", "constraints.0: expected no function but min and max"),
    ("chained constraint", {**GPT, "constraints": ["1 < seq < 2"]}, "field-value",
     "expected a comparison"),
    ("constraint of two lines", {**GPT, "constraints": ["seq >\n1"]},
     "field-value", r"found 'seq >\n1'"),
    ("long constraint", {**GPT, "constraints": ["a" * 60_000 + ">1"]},
     "field-value", "expected a comparison"),
    ("initializer", node(op="linear", x="x", init={"kernel": {"name": "eval\x1b"}}),
     "field-value", r"expected the name of an initializer, found 'eval\x1b'"),
    ("literal that is ragged", node(op="constant", value=[[1, 2], [3]]), "field-value",
     "main.n.value: expected lists of equal length"),
    ("literal of texts", node(op="constant", value=["a"]), "field-value", "numbers"),
    ("literal of objects", node(op="constant", value={}), "field-value", "numbers"),
    ("large literal", node(op="constant", value=[0] * 5000), "field-value",
     "at most 4096 elements"),
    ("literal that multiplies", node(op="constant", value=[[0] * 65] * 65),
     "field-value", "at most 4096 elements"),
    ("literal of empty lists", node(op="constant", value=[[]] * 5000), "field-value",
     "at most 4096 elements"),
    ("literal of 9 axes", node(op="constant", value=[[[[[[[[[1]]]]]]]]]), "field-value",
     "at most 8 axes"),
    ("extra that is a list", {**TINY, "metadata": {"extra": {"\x1b": [1]}}},
     "field-value", r"metadata.extra.'\x1b': expected text, a number"),
    ("no entries", {**TINY, "entries": []}, "field-value", "at least one item"),
    ("no outputs", spec({"n": RELU}, {}), "field-value", "main.outputs: expected"),
    ("expression with a dot", node(op="elu", x="x", alpha="$a.b"), "expression",
     "main.n.alpha: expected names, numbers, parentheses"),
    ("expression that calls", node(op="elu", x="x", alpha="$open(x)"),
     "expression", "expected no function but min and max"),
    ("expression that calls a method", node(op="elu", x="x", alpha="$min(a, b).real"),
     "expression", "expected names, numbers, parentheses"),
    ("expression that spreads", node(op="elu", x="x", alpha="$min(*a)"),
     "expression", "expected min of at least two values"),
    ("power of 10**9 bits", node(op="zeros", shape=["$2 ** 10 ** 9"], dtype="float"),
     "expression", "main.n.shape: a value beyond 64 bits"),
    ("power of powers", node(op="elu", x="x", alpha="$9 ** 9 ** 9 ** 9 ** 9 ** 9"),
     "expression", "main.n.alpha: a value beyond 64 bits"),
    ("remainder by zero", node(op="zeros", shape=["$8 % 0"], dtype="float"),
     "expression", "main.n.shape: division by zero"),
    ("dim named min", spec({"n": RELU}, inputs={"x": {"shape": ["min"], "dtype": "float"}}),
     "name-reserved", "found 'min'"),
    ("expression that binds", node(op="elu", x="x", alpha="$(a:=1)"),
     "expression", "expected names"),
    ("expression of other digits", node(op="elu", x="x", alpha="$\u0663"),
     "expression", r"found '$\u0663'"),
    ("expression that is long", node(op="elu", x="x", alpha="$" + "9" * 60_000),
     "expression", "1 to 256 characters"),
    ("expression that is deep", node(op="elu", x="x", alpha="$" + "(" * 127 + ")" * 127),
     "expression", "expected names, numbers, parentheses"),
]  # fmt: skip

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
    ("numbers only", node(op="add", a=1, b=2), "operand", "found numbers only"),
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


# What has very many faults, or is very large, is refused as quickly.

MANY: list[tuple[str, Data, int]] = [
    ("unknown ops", spec({f"n{i}": {"op": f"rel{i}"} for i in range(5_000)}), 101),
    ("unknown fields", spec({f"n{i}": {**RELU, "y": 1} for i in range(4_000)}), 101),
    ("bad names", spec({f"n {i}": RELU for i in range(4_000)}), 101),
    ("unknown references",
     spec({f"n{i}": {"op": "relu", "x": f"m{i}"} for i in range(4_000)}), 101),
    ("unknown functions", spec({f"n{i}": call(f"f{i}") for i in range(2_500)}), 101),
    ("entries", {**TINY, "entries": [f"e{i}" for i in range(25_000)]}, 101),
    ("one entry often", {**TINY, "entries": ["main"] * 25_000}, 101),
    ("functions that call unknown ones", spec({"a": RELU}, functions={
        f"f{i}": function({"a": call(f"g{i}")}, "a") for i in range(2_000)}), 101),
    ("outputs of a call", spec({"a": call("f"), "b": {"op": "relu", "x": "a"}},
        functions={"f": function({"n": RELU}, {f"o{i}": "n" for i in range(12_500)})}),
     1),
    ("arguments", spec({"a": {"op": "call", "function": "f",
        "inputs": {f"i{i}": "x" for i in range(12_500)}}},
        functions={"f": function({"n": RELU}, "n")}), 101),
    ("conflicts", spec({f"n{i}": {"op": "param", "shape": [i + 1], "params": "p"}
        for i in range(2_500)}, "n0"), 101),
    ("bad attributes of variants", spec({f"c{i}": call("f", attributes={"k": -i})
        for i in range(5_000)}, functions={"f": function({
        "n": {"op": "one_hot", "x": "x", "num_classes": "$k"}}, "n",
        attributes=["k"])}), 101),
]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "count"), [row[1:] for row in MANY], ids=[row[0] for row in MANY]
)
def test_many_faults_are_counted_and_not_listed(data: Data, count: int) -> None:
    raw = json.dumps(data).encode()
    with counted() as work, pytest.raises(SpecError) as caught:
        from_bytes(raw).program()
    assert work.calls < 10 * len(raw) + 200_000
    lines = str(caught.value).split("\n")
    assert len(lines) == count
    assert sum(len(line) for line in lines) < 50_000
    if count > 1:
        assert lines[-1].startswith("and ")
        assert lines[-1].endswith(" more")
