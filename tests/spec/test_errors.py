"""Texts of errors: every fault at once, by path, expected, found and what to do."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from sample_specs import CONTROL, GPT, RELU, TINY, function, spec

from blox.schema import Graph, Report, SpecError
from blox.schema.diagnostics import MAX_DIAGNOSTICS, listing, quote
from blox.schema.resolve.resolver import validate


def errors(data: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        Graph.parse(data).program()
    return str(caught.value).split("\n")


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("entires", "entires"),
        ("metadata.licence", "metadata.licence"),
        ("dims.seq.maximum", "dims.seq.maximum"),
        ("functions.main.output", "main.output"),
        ("functions.main.inputs.tokens.option", "main.inputs.tokens.option"),
        ("functions.main.nodes.wte.feature", "main.wte.feature"),
    ],
)
def test_a_field_with_a_typing_error_gets_a_hint(field: str, path: str) -> None:
    data = copy.deepcopy(GPT)
    part: Any = data
    *parents, name = field.split(".")
    for parent in parents:
        part = part.setdefault(parent, {})
    part[name] = 1
    (fault,) = errors(data)
    right = {"entires": "entries", "licence": "license", "maximum": "max"}.get(name)
    found, _, hint = fault.partition("; did you mean ")
    assert found == f"{path}: expected no such field"
    assert hint.startswith(f"'{right or name}")


def test_version_one_of_an_op_is_written_without_a_version() -> None:
    data = spec({"r": {"op": "relu@1", "x": "x"}})
    text = "expected the name of an op, found 'relu@1'; did you mean 'relu'?"
    assert errors(data) == [f"main.r: {text}"]


def test_all_faults_of_form_in_one_error() -> None:
    data = copy.deepcopy(GPT)
    main = data["functions"]["main"]
    main["inputs"]["tokens"]["dtype"] = "int31"
    main["nodes"]["wte"].update(features="width", extra=1, num_embeddings=True)
    main["nodes"]["h"].update(scan=1, remat="all", carry=3)
    main["nodes"]["bad name"] = RELU
    main["nodes"]["typo"] = {"op": "layernorm", "x": "h"}
    main["nodes"]["s"] = {"op": "softmax", "x": "h", "axis": ["one", -1]}
    main["nodes"]["t"] = {"op": "softmax", "x": "h", "axis": "one"}
    data["attributes"]["depth"] = None
    data["entries"] = []
    data["autor"] = "me"
    data["metadata"]["tags"] = "tag"
    integer = "expected a 64-bit integer or an expression such as `$width`"
    assert errors(data) == [
        "attributes.depth: expected a finite number of at most 64 bits, found null",
        "entries: expected at least one item, found a list",
        "main.inputs.tokens.dtype: expected 'float', 'float32', 'float16', 'bfloat16', "
        "'float64', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', "
        "'uint64', 'bool', 'complex64', 'complex128' or 'key', found 'int31'",
        f"main.wte.num_embeddings: {integer}, found true",
        f"main.wte.features: {integer}, found 'width'",
        "main.wte.extra: expected no such field",
        "main.h.carry: expected values by input name or in a list, found 3",
        "main.h.scan: expected true or false, found 1",
        "main.h.remat: expected 'everything_saveable', 'nothing_saveable', "
        "'dots_saveable' or 'dots_with_no_batch_dims_saveable', found 'all'",
        "main.'bad name': expected a name of ASCII letters, digits and inner "
        "underscores that begins with a letter, found 'bad name'",
        "main.typo: expected the name of an op, found 'layernorm'; did you mean "
        "'layer_norm'?",
        f"main.s.axis.0: {integer}, found 'one'",
        f"main.t.axis: {integer} or a list, found 'one'",
        "metadata.tags: expected a list, found 'tag'",
        "autor: expected no such field",
    ]


def test_all_faults_of_meaning_in_one_error() -> None:
    nodes = {
        "a": {"op": "relu", "x": "b"},
        "b": {"op": "relu", "x": "xx"},
        "c": {"op": "call", "function": "f", "inputs": {"y": "b"}},
        "d": {"op": "call", "function": "g", "inputs": {"x": "b"}},
        "e": {"op": "relu", "x": "d.anything"},
        "x": {"op": "elu", "x": "c.z", "alpha": "$alpha"},
        "two": {"op": "split", "x": "b", "names": ["one", "other"], "axis": -1},
        "use": {"op": "relu", "x": "two"},
    }
    data = spec(
        nodes,
        outputs={"y": "nothing"},
        functions={"f": function({"n": RELU}, "n")},
        dims={"seq": {"max": 1}},
        constraints=["seq > 1"],
        entries=["main", "step"],
    )
    assert errors(data) == [
        "entries.1: expected the name of a function, found 'step'",
        "dims.seq: expected a dim that the shape of an entry's input binds",
        "constraints.0: expected attributes and dims of entries, found 'seq', which is "
        "neither",
        "main.d.function: expected the name of a function, found 'g'; functions are "
        "main, f",
        "main.a.x: expected an input or an earlier node, found 'b', which comes later; "
        "if a tool has sorted this file, `blox fmt --reorder` restores an order",
        "main.b.x: expected an input or an earlier node, found 'xx'; did you mean 'x'?",
        "main.c.inputs.y: expected an input of f (x), found 'y'",
        "main.c: expected a value for the input 'x' of f, found none",
        "main.x: expected a new name, found that of an input",
        "main.x.x: expected an output of 'c' (y), found 'z'",
        "main.use.x: expected one of the outputs of 'two' (one, other), found 'two' "
        "alone; write 'two.one'",
        "main.outputs.y: expected an input or an earlier node, found 'nothing'",
        "main.x.alpha: expected an attribute or a dim, found 'alpha', which is none "
        "here",
    ]


def test_all_faults_of_values_in_one_error() -> None:
    nodes = {
        "a": {"op": "one_hot", "x": "x", "num_classes": "$n // zero"},
        "b": {"op": "linear", "x": "x", "out_features": "$n - 8"},
        "c": {"op": "call", "function": "f", "inputs": {"x": "x"}},
        "d": {"op": "call", "function": "f", "inputs": ["x"], "attributes": {"k": 0}},
        "e": {"op": "arange", "stop": 5, "step": 0},
        "f": {"op": "linear", "x": "x", "in_features": 1, "out_features": 1,
              "init": {"weight": {"name": "zeros"}}, "axes": {"kernel": ["embed"]}},
        "g": {"op": "call", "function": "f", "inputs": ["x"],
              "attributes": {"k": "$batch"}},
        "h": {"op": "repeat", "function": "g", "count": "$batch", "scan": False,
              "carry": ["x"]},
        "i": {"op": "repeat", "function": "g", "count": "$batch", "scan": True,
              "carry": ["x"]},
    }  # fmt: skip
    inner = function(
        {"n": {"op": "one_hot", "x": "x", "num_classes": "$k"}}, "n", attributes=["k"]
    )
    copied = function({"n": {"op": "relu", "x": "x"}}, {"x": "n"})
    functions = {"f": inner, "g": copied}
    data = spec(nodes, "a", functions=functions, attributes={"n": 8, "zero": 0})
    assert errors(data) == [
        "main.a.num_classes: division by zero, found '$n // zero'",
        "main.b.out_features: expected at least 1, found 0",
        "main.c.attributes: expected k for f, found none",
        "f.n.num_classes: expected at least 1, found 0",
        "main.e.step: expected an integer other than 0, found 0",
        "main.f.init: expected a parameter (bias, kernel), found 'weight'",
        "main.f.axes.kernel: expected 2 axes, found 1",
        "main.g.attributes.k: expected a value that no dim decides, found '$batch'",
        "main.h.count: expected a count that no dim decides, found '$batch'",
        "main.i.count: expected a count that no dim decides, found '$batch'",
    ]


@pytest.mark.parametrize("version", ["blox/2", "blox/10", "blox/999999999"])
def test_newer_formats(version: str) -> None:
    # Nothing else is said of them: another version may differ in everything.
    assert errors({"format": version, "graphs": [], "name": 3}) == [
        f"format: this blox reads 'blox/1', found '{version}'; upgrade blox-format to "
        "read this file"
    ]


@pytest.mark.parametrize("version", ["blox/1.0", "BLOX/1", "onnx/2", "", 1, None, [1]])
def test_no_formats(version: Any) -> None:
    assert errors({**TINY, "format": version}) == [
        f"format: this blox reads 'blox/1', found {version!r}"
    ]


def test_a_missing_format() -> None:
    data = {k: v for k, v in TINY.items() if k != "format"}
    why = (
        'format: expected \'blox/1\', found none; add "format": "blox/1" if this file '
        "is a graph of blox"
    )
    assert errors(data) == [why]
    assert errors({**data, "more": 1}) == [why, "more: expected no such field"]


def test_newer_ops() -> None:
    assert errors(spec({"n": {"op": "relu@2", "x": "x", "new": 1}})) == [
        "main.n: expected `relu` at version 1, found version 2; this file needs a "
        "newer blox: upgrade blox-format"
    ]


def test_attributes_that_are_replaced() -> None:
    graph = Graph.parse(GPT)
    with pytest.raises(SpecError) as caught:
        graph.replace_attributes(hidden=1)
    assert str(caught.value) == (
        "attributes: expected an attribute of the graph (vocab, width, depth, heads, "
        "context), found 'hidden'"
    )
    with pytest.raises(SpecError, match=r"attributes.width: expected a finite number"):
        graph.replace_attributes(width=float("nan"))
    with pytest.raises(SpecError, match=r"attributes.width: expected a finite number"):
        graph.replace_attributes(width=2**64)


@pytest.mark.parametrize("value", [2**63, 10**400, True, float("nan"), float("inf")])
def test_numbers_of_python_data(value: Any) -> None:
    nodes = [
        {"op": "elu", "x": "x", "alpha": value},
        {"op": "one_hot", "x": "x", "num_classes": value},
    ]
    if not isinstance(value, float):  # an operand and a fill may be infinite
        nodes.append(
            {"op": "full", "shape": [1], "fill_value": value, "dtype": "float"}
        )
    if type(value) is int:
        nodes.append({"op": "add", "a": "x", "b": value})
    for node in nodes:
        (line,) = errors(spec({"n": node}))
        assert "found" in line
        assert line.isprintable()


@pytest.mark.parametrize("value", [{1, 2}, [b"x"], {"a": {1: 2}}, [float("nan")]])
def test_extra_of_python_is_plain_data(value: Any) -> None:
    (line,) = errors({**spec({"n": RELU}), "metadata": {"extra": {"a": value}}})
    assert line.startswith("metadata.extra.a: expected text, a finite number, true, ")


def test_quote_makes_text_inert() -> None:
    assert quote("a\n\x1b[31m\u202e") == r"'a\n\x1b[31m\u202e'"
    assert len(quote("\u20ac" * 1000)) == 60
    assert quote("x" * 1000) == "'" + "x" * 56 + "..."
    assert len(quote(["y" * 10**6])) == 60
    assert quote(10**5000) == f"an integer of {(10**5000).bit_length()} bits"
    assert quote(None) == "None"
    assert "\n" not in quote({"a\n": "b\n"})


def test_listing_is_short() -> None:
    assert listing([]) == "none"
    assert listing(["a", "b"]) == "a, b"
    assert listing([f"n{i}" for i in range(1000)]).endswith("n7 and 992 more")


def test_reports_are_bounded_and_say_each_thing_once() -> None:
    report = Report()
    for _ in range(3):
        for i in range(MAX_DIAGNOSTICS):
            report.error("shape", f"path{i}", "message")
            report.warn("unused-node", f"path{i}", "message")
    assert len(report.diagnostics) == 2 * MAX_DIAGNOSTICS
    assert len(report.errors) == MAX_DIAGNOSTICS
    report.error("shape", "one", "more")
    assert str(report.errors[-1]) == "and 1 more"
    assert not report.ok


def test_warnings_are_no_errors() -> None:
    data = spec({"n": RELU, "idle": RELU}, "n", functions={"f": function({}, "x")})
    report = validate(Graph.parse(data))
    assert report.ok
    assert [str(d) for d in report] == [
        "main.idle: nothing uses this node",
        "f: nothing calls this function",
    ]
    assert str(report).startswith("warning unused-node main.idle: ")
    assert validate(Graph.parse(CONTROL)).ok


LINEAR = {"op": "linear", "x": "x", "in_features": 2, "out_features": 2}


@pytest.mark.parametrize(
    ("node", "found"),
    [
        ({"op": "GELU", "x": "x"},
         "main.n: expected the name of an op, found 'GELU'; did you mean 'gelu'?"),
        ({"op": "relu", "x": "n"},
         "main.n.x: expected an input or an earlier node, found 'n', which is this "
         "node"),
        ({**LINEAR, "init": {"bias": {"name": "normal", "stdev": 1.0}}},
         "main.n.init.bias.stdev: expected no such field; did you mean 'stddev'?"),
        ({**LINEAR, "init": {"bias": {"name": "norml"}}},
         "main.n.init.bias: expected the name of an initializer, found 'norml'; did "
         "you mean 'normal'?"),
        ({"op": "param", "shape": [2], "init": {"value": {"name": "normal", "s": 1.0}}},
         "main.n.init.value.s: expected no such field"),
        ({**LINEAR, "out_features": "$2 / 1"},
         "main.n.out_features: expected no / where an integer stands, found '$2 / 1'"),
    ],
)  # fmt: skip
def test_what_to_do(node: dict[str, Any], found: str) -> None:
    assert errors(spec({"n": node}, outputs={"y": "n"})) == [found]


def test_what_a_fault_cuts_off_is_no_finding() -> None:
    nodes = {
        "a": {"op": "relu", "x": "x"},
        "h": {"op": "repeat", "function": "f", "count": "$n", "carry": {"x": "a"}},
    }
    data = spec(
        nodes,
        outputs={"y": "h"},
        functions={"f": function({"n": RELU}, {"x": "n"})},
        attributes={"n": -1},
    )
    report = validate(Graph.parse(data))
    assert [str(d) for d in report] == ["main.h.count: expected at least 0, found -1"]


def test_what_stands_in_metadata() -> None:
    data = {**spec({"n": RELU}, "n"), "license": "MIT"}
    found = "license: expected no such field; it stands in `metadata`"
    assert errors(data) == [found]
