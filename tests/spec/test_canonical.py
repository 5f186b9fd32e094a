"""One text and one msgpack for one Graph, read back to the same Graph."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_specs import CONTROL, GPT, RELU, TINY, Data, spec

from blox.schema import Graph, from_bytes, to_json, to_msgpack
from blox.schema.diagnostics import quote
from blox.schema.write.canonical import WIDTH

GOLDEN = Path(__file__).parent / "golden.json"
ALL = {"tiny": TINY, "gpt": GPT, "control": CONTROL}


@pytest.mark.parametrize("data", ALL.values(), ids=list(ALL))
def test_fixpoint(data: Data) -> None:
    graph = Graph.parse(data)
    text, packed = to_json(graph), to_msgpack(graph)
    assert from_bytes(text.encode()) == graph == from_bytes(packed)
    assert to_json(from_bytes(text.encode())) == text
    assert to_json(from_bytes(packed)) == text
    assert to_msgpack(from_bytes(text.encode())) == packed
    assert text.isascii()
    assert all(len(line) <= WIDTH for line in text.split("\n"))
    assert Graph.parse(graph.plain()) == graph


def test_golden() -> None:
    # The text of a Graph is API: digests stand in files that people keep.
    assert to_json(Graph.parse(CONTROL)) == GOLDEN.read_text(encoding="utf-8")
    assert Graph.parse(CONTROL).digest == (
        "sha256:f1e87c177b42f9982a5008aa6b69fe14334e74d8cd75cfc1d7048bbcb24ef228"
    )


def test_one_digest_for_equal_inputs() -> None:
    graph = Graph.parse(GPT)
    order = dict(reversed(GPT.items()))
    node = order["functions"]["main"]["nodes"]["wte"]
    same = copy.deepcopy(order)
    same["functions"]["main"]["nodes"]["wte"] = dict(reversed(node.items()))
    same["entries"] = ["main"]
    same["constraints"] = []
    same["functions"]["mlp"]["nodes"]["up"].update(use_bias=True, params=None, init={})
    same["functions"]["mlp"]["doc"] = ""
    assert Graph.parse(same).digest == graph.digest
    assert to_json(Graph.parse(same)) == to_json(graph)
    indented = json.dumps(GPT, indent=7).encode()
    assert from_bytes(indented).digest == graph.digest


def test_other_digests_for_other_meanings() -> None:
    def digest(**changes: Any) -> str:
        return Graph.parse({**TINY, **changes}).digest

    found = [
        digest(),
        digest(name="other"),
        digest(attributes={"a": 1}),
        digest(attributes={"a": 1.0}),
        digest(attributes={"a": 0.0}),
        digest(attributes={"a": -0.0}),
        digest(attributes={"a": 1, "b": 2}),
        digest(attributes={"b": 2, "a": 1}),
        digest(metadata={"description": "x"}),
    ]
    assert len(set(found)) == len(found)


def test_order_of_nodes_is_kept() -> None:
    nodes = {f"{c}{i}": RELU for i, c in enumerate("zyxab")}
    graph = Graph.parse(spec(nodes))
    assert list(from_bytes(to_json(graph).encode()).functions["main"].nodes) == list(
        nodes
    )


@pytest.mark.parametrize(
    ("node", "key", "value"),
    [
        ({"op": "zeros", "shape": [], "dtype": "float"}, "shape", []),
        ({"op": "param", "shape": []}, "shape", []),
        ({"op": "reshape", "x": "x", "shape": []}, "shape", []),
        ({"op": "constant", "value": []}, "value", []),
        ({"op": "constant", "value": False, "dtype": "bool"}, "value", False),
        ({"op": "add", "a": "x", "b": 0}, "b", 0),
        ({"op": "add", "a": "x", "b": 0.0}, "b", 0.0),
        ({"op": "sum", "x": "x"}, "axis", None),
        ({"op": "gelu", "x": "x"}, "approximate", True),
        ({"op": "layer_norm", "x": "x"}, "eps", 1e-5),
        ({"op": "linear", "x": "x"}, "use_bias", True),
    ],
)
def test_semantic_fields_are_always_written(node: Data, key: str, value: Any) -> None:
    graph = Graph.parse(spec({"n": node}))
    written = graph.plain()["functions"]["main"]["nodes"]["n"]
    assert written[key] == value
    assert type(written[key]) is type(value)
    assert Graph.parse(graph.plain()) == graph


def test_parameter_options_are_written_where_they_are_given() -> None:
    node = Graph.parse(spec({"n": {"op": "linear", "x": "x"}})).plain()
    assert node["functions"]["main"]["nodes"]["n"] == {
        "op": "linear",
        "x": "x",
        "use_bias": True,
    }


def test_bounds_and_shapes_of_zero_and_nothing() -> None:
    inputs = {
        "x": {"shape": [], "dtype": "float"},
        "y": {"shape": [0, "n"], "dtype": "int32", "optional": True},
    }
    data = spec({"n": RELU}, inputs=inputs, dims={"n": {"min": 0, "max": 0}})
    graph = Graph.parse(data)
    assert graph.plain() == Graph.parse(graph.plain()).plain()
    assert graph.plain()["dims"] == {"n": {"min": 0, "max": 0}}
    assert graph.plain()["functions"]["main"]["inputs"] == inputs


def test_plain_is_a_copy() -> None:
    graph = Graph.parse(CONTROL)
    before = to_json(graph)
    data = graph.plain()
    for part in (data["attributes"], data["functions"]["main"]["outputs"]):
        part["more"] = 1
    data["functions"]["stage"]["attributes"].append("more")
    data["functions"]["main"]["nodes"].clear()
    assert to_json(graph) == before


def test_replace_attributes() -> None:
    graph = Graph.parse(GPT)
    small = graph.replace_attributes(depth=2, width=8)
    assert small.attributes == {**GPT["attributes"], "depth": 2, "width": 8}
    assert list(small.attributes) == list(graph.attributes)
    assert small.functions == graph.functions
    assert graph.attributes["depth"] == 4
    assert small.program().leaves()["h.mlp.up.kernel"].full_shape == (2, 8, 32)


# Legal but nasty: text is kept as it is, and reaches JSON as ASCII.

NASTY = [
    'triple """ quotes', "'''", "\\", "\\N{BULLET}", "{braces} {{jinja}} {% raw %}",
    "\x1b[31mred\x1b[0m", "\x07\x08\x00\x7f\x9b", "[bold]rich[/bold] [/]",
    "<script>alert(1)</script>", "::error file=a::b", "%0a%0d", "line\nline\r\nline",
    "\u202eright to left", "\u2028\u2029", "$(rm -rf ~) `x` $HOME", "| a | b |\n|---|",
    "../../etc/passwd", "file:///etc/passwd", "\U0001f600", "e\u0301", "", " ", "#",
]  # fmt: skip


def extra_of(text: str) -> Data:
    """Plain data of all kinds, nested; what is empty or null stays."""
    return {
        text: text, "yes": True, "no": False, "one": 1, "half": 0.5, "none": None,
        "nested": {text: [text, {"": {text: []}}, None, [], {}, "", 0, "$inf"]},
    }  # fmt: skip


def nasty(text: str) -> Data:
    data = copy.deepcopy(TINY)
    data["metadata"] = {
        "description": text,
        "license": text,
        "source": text,
        "citation": text,
        "authors": [text],
        "tags": [text, text],
        "extra": extra_of(text),
    }
    data["functions"]["main"]["doc"] = text
    data["functions"]["main"]["inputs"]["x"]["doc"] = text
    return data


@pytest.mark.parametrize("text", NASTY, ids=quote)
def test_nasty_text_is_legal_and_kept(text: str) -> None:
    graph = Graph.parse(nasty(text))
    graph.program()
    written = to_json(graph)
    assert from_bytes(written.encode()) == graph == from_bytes(to_msgpack(graph))
    assert graph.metadata.extra == extra_of(text)
    assert graph.plain()["metadata"]["extra"] == extra_of(text)
    assert written.replace("\n", "").isprintable()
    assert written.isascii()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NUMBER = st.integers(-(2**63), 2**63 - 1) | st.floats(
    allow_nan=False, allow_infinity=False
)
EXTRA = st.recursive(
    NUMBER | TEXT | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
    ),
    max_leaves=6,
)
NAME = st.from_regex(r"[a-z](?:[a-z0-9_]{0,8}[a-z0-9])?", fullmatch=True).map(
    lambda n: f"q{n}"
)


@st.composite
def graphs(draw: st.DrawFn) -> Data:
    names = draw(st.lists(NAME, min_size=1, max_size=6, unique=True))
    nodes: Data = {}
    for name in names:
        source = draw(st.sampled_from(["xin", *nodes]))
        nodes[name] = draw(
            st.sampled_from(
                [
                    {"op": "relu", "x": source},
                    {"op": "add", "a": source, "b": draw(NUMBER)},
                    {"op": "linear", "x": source, "out_features": "$width * 2"},
                    {"op": "softmax", "x": source, "axis": [0, -1]},
                    {"op": "reshape", "x": source, "shape": ["...", "$width", -1]},
                    {"op": "layer_norm", "x": source, "eps": draw(st.floats(0, 1))},
                    {"op": "linear", "x": source, "params": "shared.one",
                     "init": {"bias": {"name": "ones"}}, "frozen": ["bias"]},
                ]
            )
        )  # fmt: skip
    return {
        "format": "blox/1",
        "name": draw(NAME),
        "attributes": {"width": draw(NUMBER), **draw(st.dictionaries(NAME, NUMBER))},
        "dims": {"n": {"max": draw(st.integers(1, 99))}},
        "functions": {
            "main": {
                "doc": draw(TEXT),
                "inputs": {"xin": {"shape": ["...", "n", 8], "dtype": "float"}},
                "nodes": nodes,
                "outputs": {"y": names[-1]},
            }
        },
        "metadata": {"description": draw(TEXT), "extra": {draw(TEXT): draw(EXTRA)}},
    }


@settings(max_examples=40)
@given(graphs())
def test_round_trips(data: Data) -> None:
    graph = from_bytes(json.dumps(data).encode())
    text, packed = to_json(graph), to_msgpack(graph)
    for again in (from_bytes(text.encode()), from_bytes(packed)):
        assert again == graph
        assert to_json(again) == text
        assert to_msgpack(again) == packed
        assert again.digest == graph.digest
