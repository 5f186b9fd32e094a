"""Outputs as objects: what is one, its one text, what is refused and where."""

from __future__ import annotations

from typing import Any

import pytest
from sample_specs import Data, spec
from work import counted

from blox.schema import Graph, Output, SpecError, from_bytes
from blox.schema.resolve.resolver import validate
from blox.schema.write.canonical import to_json, to_msgpack

INPUTS: Data = {
    "x": {"shape": ["batch", 8], "dtype": "float"},
    "k": {"shape": ["batch", "cached", 8], "dtype": "float"},
    "rng": {"shape": [], "dtype": "key"},
}


def of(*outputs: Any) -> Data:
    """A graph whose outputs a, b, ... are these."""
    nodes = {"n": {"op": "relu", "x": "x"}, "m": {"op": "relu", "x": "k"}}
    named = dict(zip("abc", outputs, strict=False))
    return spec(nodes, named, INPUTS, attributes={"width": 8})


FULL: Data = {
    "value": "m",
    "shape": ["batch", "cached", "$width"],
    "dtype": "float",
    "next": "k",
    "doc": "The cache.",
}


def test_an_object_says_more_of_a_value() -> None:
    graph = Graph.parse(of("n", FULL))
    plain, full = graph.functions["main"].outputs.values()
    assert plain == Output(value="n")
    assert plain.is_bare
    assert (full.value, full.dtype, full.next) == ("m", "float", "k")
    assert full.shape == ["batch", "cached", "$width"]
    assert full.doc == "The cache."
    assert hash(full) == hash(Output(**FULL))


def test_one_text_for_each() -> None:
    graph = Graph.parse(
        of({"value": "n"}, dict(reversed(FULL.items())), {"value": "n", "shape": []})
    )
    outputs = graph.plain()["functions"]["main"]["outputs"]
    assert outputs == {"a": "n", "b": FULL, "c": {"value": "n", "shape": []}}
    assert list(outputs["b"]) == ["value", "shape", "dtype", "next", "doc"]
    same = Graph.parse(of("n", FULL, {"doc": "", "value": "n", "shape": []}))
    assert graph == same
    assert graph.digest == same.digest != Graph.parse(of("n", FULL, "n")).digest
    for text in (to_json(graph).encode(), to_msgpack(graph)):
        assert to_json(from_bytes(text)) == to_json(graph)


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ({"shape": []}, "a.value: expected this field, found none"),
        (
            {"value": "n", "shap": []},
            "a.shap: expected no such field; did you mean 'shape'?",
        ),
        ({"value": "$width"}, "a.value: expected a reference such as `name`"),
        ({"value": {"value": "n"}}, "a.value: expected a reference such as `name`"),
        ({"value": "n", "dtype": "key"}, "a.dtype: expected 'float', "),
        ({"value": "n", "dtype": "float8"}, "a.dtype: expected 'float', "),
        ({"value": "n", "shape": [-1]}, "a.shape.0: expected a size of at least 0"),
        ({"value": "n", "shape": [1.0]}, "a.shape.0: expected a size, a dim name"),
        ({"value": "n", "shape": "batch"}, "a.shape: expected a list"),
        ({"value": "n", "shape": [1] * 33}, "a.shape: expected at most 32 items"),
        ({"value": "n", "shape": ["$(a"]}, "a.shape.0: expected a well-formed"),
        ({"value": "n", "next": "a.b"}, "a.next: expected a name of ASCII letters"),
        ({"value": "n", "next": ["k"]}, "a.next: expected a name"),
        ({"value": "n", "doc": 3}, "a.doc: expected text, found 3"),
        (["n"], "a: expected a reference such as `name`, or an object with a `value`"),
        (None, "a: expected a reference such as `name`, or an object with a `value`"),
        ({}, "a.value: expected this field, found none"),
    ],
)
def test_what_is_no_output(output: Any, line: str) -> None:
    with pytest.raises(SpecError) as caught:
        Graph.parse(of(output))
    (found,) = caught.value.diagnostics
    assert str(found).startswith(f"main.outputs.{line}")


@pytest.mark.parametrize(
    ("outputs", "code", "line"),
    [
        (
            [{"value": "q", "doc": "a"}],
            "reference-unknown",
            "a.value: expected an input or an earlier node, found 'q'",
        ),
        (
            [{"value": "rng", "doc": "a"}],
            "reference-kind",
            "a.value: expected a tensor or list, found a key",
        ),
        (
            [{"value": "n", "shape": ["rows", 8]}],
            "dim-unknown",
            "a.shape: expected a dim that an input of main binds, found 'rows'",
        ),
        (
            [{"value": "n", "shape": ["batch", "width"]}],
            "dim-unknown",
            "a.shape: expected a dim that an input of main binds, found 'width'; write "
            "'$width' for its value",
        ),
        (
            [{"value": "n", "shape": ["...", 8, "..."]}],
            "shape",
            "a.shape: expected `...` at most once",
        ),
        (
            [{"value": "n", "shape": ["batch", "$rows * 2"]}],
            "expression",
            "a.shape: expected an attribute or a dim, found 'rows', which is none here",
        ),
        (
            [{"value": "n", "shape": ["batch", "$width - 9"]}],
            "shape",
            "a.shape: expected sizes of at least 0, found [-1]",
        ),
        (
            [{"value": "n", "shape": ["batch", "$width // 0"]}],
            "expression",
            "a.shape: division by zero",
        ),
        (
            [{"value": "n", "shape": ["batch", "$2 ** batch"]}],
            "expression",
            "a.shape: expected an exponent that no dim decides",
        ),
        (
            [{"value": "n", "shape": [2**40, 2]}],
            "too-large",
            "a.shape: expected at most 1099511627776 elements",
        ),
        (
            [{"value": "n", "next": "cache"}],
            "output-next",
            "a.next: expected an input (x, k, rng), found 'cache'",
        ),
        (
            [{"value": "n", "next": "m"}],
            "output-next",
            "a.next: expected an input (x, k, rng), found 'm'",
        ),
        (
            [{"value": "n", "next": "rng"}],
            "output-next",
            "a.next: expected an input that is an array, found the key rng",
        ),
        (
            [{"value": "m", "next": "k"}, "n", {"value": "k", "next": "k"}],
            "output-next",
            "c.next: expected one next value of k, found a before",
        ),
    ],
)
def test_what_is_promised_of_nothing(outputs: list[Any], code: str, line: str) -> None:
    (found,) = validate(Graph.parse(of(*outputs))).errors
    assert found.code == code
    assert str(found).startswith(f"main.outputs.{line}")
    assert str(found).isascii()


def test_many_outputs_take_time_that_grows_as_they_do() -> None:
    """Next values are looked up, not searched for."""
    names = [f"k{i}" for i in range(3000)]
    inputs = {n: {"shape": ["...", 8], "dtype": "float"} for n in names}
    nodes = {f"r{i}": {"op": "relu", "x": n} for i, n in enumerate(names)}
    outputs = {
        f"o{i}": {"value": f"r{i}", "next": n, "shape": ["...", "_"]}
        for i, n in enumerate(names)
    }
    with counted() as work:
        report = validate(Graph.parse(spec(nodes, outputs, inputs)))
    assert report.ok
    assert work.calls < 3000 * 500
