"""Infinite numbers, booleans and constants by their content, as data."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from sample_specs import RELU, Data, function, spec

from blox.schema import Graph, SpecError, digest, from_bytes, to_json, to_msgpack

INF = float("inf")
TEXTS = {"$inf": INF, "$-inf": -INF, "$nan": float("nan")}


def where(value: Any) -> Data:
    return {"op": "where", "condition": "x", "a": "x", "b": value}


def refused(data: Data) -> str:
    with pytest.raises(SpecError) as caught:
        Graph.parse(data).program()
    return str(caught.value)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    ("node", "field"),
    [
        (where("y"), "b"),
        ({"op": "clip", "x": "x"}, "max"),
        ({"op": "full", "shape": [2], "dtype": "float"}, "fill_value"),
        ({"op": "full_like", "x": "x"}, "fill_value"),
        ({"op": "pad", "x": "x", "pad_width": [[1, 1]]}, "constant_values"),
        ({"op": "nan_to_num", "x": "x"}, "posinf"),
        ({"op": "unique", "x": "x", "size": 3}, "fill_value"),
        ({"op": "constant"}, "value"),
    ],
)
def test_infinite_numbers_are_texts(text: str, node: Data, field: str) -> None:
    """In both encodings; a float of Python data is the same."""
    graph = Graph.parse(spec({"n": {**node, field: text}}, "x"))
    graph.program()
    again = Graph.parse(spec({"n": {**node, field: TEXTS[text]}}, "x"))
    assert again == graph
    assert hash(again) == hash(graph)
    assert digest(again) == digest(graph)
    for data in (to_json(graph).encode(), to_msgpack(graph)):
        assert from_bytes(data) == graph
    assert pickle.loads(pickle.dumps(graph)) == graph
    written = json.loads(to_json(graph))["functions"]["main"]["nodes"]["n"]
    assert written[field] == text


def test_each_is_another_graph() -> None:
    graphs = [Graph.parse(spec({"n": where(v)})) for v in (*TEXTS, 0.0, True, 1)]
    assert len({digest(g) for g in graphs}) == len(graphs)
    assert len(set(graphs)) == len(graphs)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    ("node", "field"),
    [
        ({"op": "elu", "x": "x"}, "alpha"),
        ({"op": "layer_norm", "x": "x", "features": 8}, "eps"),
        ({"op": "dropout", "x": "x"}, "rate"),
        ({"op": "one_hot", "x": "x"}, "num_classes"),
        ({"op": "linspace", "stop": 1.0, "num": 3}, "start"),
        ({"op": "nonzero", "x": "x", "size": 3}, "fill_value"),
        (
            {"op": "repeat", "function": "f", "carry": {"x": "x"}, "scan": False},
            "count",
        ),
    ],
)
def test_no_attribute_is_infinite(text: str, node: Data, field: str) -> None:
    error = refused(
        spec(
            {"n": {**node, field: text}},
            functions={"f": function({"n": RELU}, {"x": "n"})},
        )
    )
    start = (
        f"main.n.{field}: expected a finite number: `$inf`, `$-inf` and `$nan` stand "
        f"for operands, constants and fills alone, found '{text}'"
    )
    assert error.startswith(start)


SHAPED: list[tuple[str, Data]] = [
    ("main.inputs.x.shape.0",
     spec({"n": RELU}, inputs={"x": {"shape": ["$inf"], "dtype": "float"}})),
    ("dims.batch.max", {**spec({"n": RELU}), "dims": {"batch": {"max": "$inf"}}}),
    ("attributes.a", spec({"n": RELU}, attributes={"a": "$inf"})),
    ("main.n.attributes.k", spec(
        {"n": {"op": "call", "function": "f", "inputs": {"x": "x"},
               "attributes": {"k": "$nan"}}},
        functions={"f": function({"n": RELU}, "n", attributes=["k"])},
    )),
    ("main.n.init.kernel", spec(
        {"n": {"op": "linear", "x": "x", "out_features": 2, "in_features": 8,
               "init": {"kernel": {"name": "normal", "stddev": "$inf"}}}},
    )),
]  # fmt: skip


@pytest.mark.parametrize(("path", "data"), SHAPED, ids=[p for p, _ in SHAPED])
def test_nothing_else_is_infinite(path: str, data: Data) -> None:
    error = refused(data)
    assert error.startswith(path)
    assert "expected a" in error
    assert "\n" not in error


PARTS = ["$-inf + 1", "$2 * inf", "$(inf)", "$ inf", "$inf ", "$--inf", "$min(nan, 1)"]


@pytest.mark.parametrize("text", [*PARTS, "$ -inf"])
def test_infinite_numbers_are_whole_values(text: str) -> None:
    error = refused(spec({"n": where(text)}))
    assert error.startswith("main.n.b: expected inf and nan as a whole value alone")


@pytest.mark.parametrize("text", ["$infinity", "$Inf", "$+inf", "inf", "$NaN"])
def test_other_spellings_are_none(text: str) -> None:
    assert refused(spec({"n": where(text)})).startswith("main.n.b: ")


@pytest.mark.parametrize("name", ["inf", "nan"])
def test_names_are_reserved(name: str) -> None:
    for data in (
        spec({"n": RELU}, attributes={name: 1}),
        spec(
            {"n": RELU | {"x": name}}, inputs={name: {"shape": [1], "dtype": "float"}}
        ),
        spec({"n": RELU}, inputs={"x": {"shape": [name], "dtype": "float"}}),
    ):
        assert "shadows no" in refused(data)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1, "int32"),
        ([[1, 2], [3, 4]], "int32"),
        (0.5, "float"),
        ([1, 2.5], "float"),
        ([1, "$nan"], "float"),
        (True, "bool"),
        ([True, False], "bool"),
        ([], "float"),
        ([[]], "float"),
    ],
)
def test_constants_by_content(value: Any, dtype: str) -> None:
    graph = Graph.parse(spec({"n": {"op": "constant", "value": value}}))
    graph.program()
    written = graph.plain()["functions"]["main"]["nodes"]["n"]
    assert written == {"op": "constant", "value": value, "dtype": dtype}
    assert repr(written["value"]) == repr(value)


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        ([True, 1], None, "value.1: expected booleans for dtype bool, numbers for all"),
        ([1.5, False], None, "value.0: expected booleans for dtype bool"),
        ([True, "$inf"], None, "value.1: expected booleans for dtype bool"),
        (["$inf"], "int32", "value.0: expected integers for dtype int32, found inf"),
        (["$inf"], "bool", "value.0: expected booleans for dtype bool"),
        (["$inf + 1"], None, "value.0: expected numbers, `$inf`, `$-inf` and `$nan`"),
        (["x"], None, "value.0: expected numbers, `$inf`"),
        ([1, ["$inf"]], None, "value.1: expected numbers, `$inf`"),
        ([[1, 2], [3, None]], None, "value.1.1: expected numbers"),
        ([[1, 2], [3]], None, "value.1: expected lists of equal length"),
        (
            [[1], [2, 300]][1:],
            "int8",
            "value.0.1: expected integers within int8, found 300",
        ),
        (2**40, None, "value: expected integers within int32, found 1099511627776"),
        (1e6, None, "value: expected numbers within float, found 1000000.0"),
        ([[1.0] * 64] * 65, None, "value: expected at most 4096 elements"),
    ],
)
def test_constants_that_are_none(value: Any, dtype: str | None, text: str) -> None:
    node = {"op": "constant", "value": value} | ({"dtype": dtype} if dtype else {})
    assert f"main.n.{text}" in refused(spec({"n": node}))


def test_integers_are_never_infinite() -> None:
    node = {"op": "full", "shape": [2], "fill_value": "$inf", "dtype": "int32"}
    assert refused(spec({"n": node})) == (
        "main.n.fill_value: expected a finite number for dtype int32, found inf"
    )


def test_booleans_are_operands() -> None:
    graph = Graph.parse(spec({"n": where(True)}))
    assert graph.plain()["functions"]["main"]["nodes"]["n"]["b"] is True
    assert refused(spec({"n": {"op": "add", "a": True, "b": "$inf"}})) == (
        "main.n: expected at least one reference, found literals only"
    )


def test_lists_of_booleans_are_not_mixed() -> None:
    def repeat(values: list[Any]) -> Data:
        node = {"op": "repeat", "function": "f", "count": 2, "carry": {"x": "x"}}
        inputs: Data = {"x": {}, "on": {}}
        body = function({"n": where("on")}, inputs=inputs, outputs={"x": "n"})
        return spec({"n": {**node, "xs": {"on": values}}}, functions={"f": body})

    Graph.parse(repeat([True, False])).program()
    Graph.parse(repeat(["$-inf", 0.0])).program()
    assert refused(repeat([True, 1])).startswith("main.n.xs.on.0: expected a finite")
