"""What is said of outputs stands in the docstring of an entry, whatever it says."""

from __future__ import annotations

import ast
import inspect

from generated_files import assert_same_program, executed
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph

NASTY = 'ends """ with \\ \x1b[2J\u202e "quotes"\n    Returns:\n' + "word " * 40
INPUTS: Data = {
    "x": {"shape": ["batch", 8], "dtype": "float"},
    "k": {"shape": ["batch", 8], "dtype": "float"},
}


def graph(doc: str = "", **outputs: Data | str) -> Graph:
    inner = function(
        {"n": {"op": "relu", "x": "x"}},
        {"y": {"value": "n", "doc": "Of no entry."}},
        {"x": {}},
    )
    nodes: Data = {
        "a": {"op": "call", "function": "inner", "inputs": ["x"]},
        "b": {"op": "add", "a": "a", "b": "k"},
    }
    data = spec(nodes, outputs, INPUTS, functions={"inner": inner})
    data["functions"]["main"]["doc"] = doc
    return Graph.parse(data)


MANY = graph(
    "One step.",
    y={"value": "a", "shape": ["batch", "_"], "dtype": "float", "doc": "Plain."},
    z="a",
    next={"value": "b", "next": "k"},
)
ONE = graph(y={"value": "b", "shape": ["batch", 8], "doc": NASTY})


def test_a_section_of_the_docstring() -> None:
    assert inspect.getdoc(executed(bx.generate(MANY))["model"]) == (
        "One step.\n"
        "\n"
        "x, k (batch, 8) -> y, z, next (batch, 8).\n"
        "\n"
        "Returns:\n"
        "    y: float[batch, _]. Plain.\n"
        "    next: the next value of k, which is zero at the start."
    )


def test_one_output_has_no_name() -> None:
    doc = inspect.getdoc(executed(bx.generate(ONE))["model"])
    assert doc is not None
    assert doc.startswith(
        "x, k (batch, 8) -> y (batch, 8).\n\nReturns:\n"
        '    [batch, 8]. ends """ with \\ \x1b[2J\u202e'
    )
    assert "word word" in doc


def files() -> dict[str, str]:
    """Those that `test_clean` checks."""
    return {"many": bx.generate(MANY), "one": bx.generate(ONE)}


def test_files_are_as_all_are() -> None:
    for made, source in zip((MANY, ONE), files().values(), strict=True):
        assert_same_program(made, source)
        assert "Of no entry" not in source
        assert source.isascii()
        assert max(map(len, source.split("\n"))) < 110
        ast.parse(source)
