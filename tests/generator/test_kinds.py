"""Annotations of inputs that calls give numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from generated_files import assert_same_program, assert_typed
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph

BOTH: Data = {"x": {}, "s": {}}


def called(node: Data, *given: object) -> str:
    """The head of a function of x and s with this node, called with each of these."""
    calls: Data = {}
    for i, value in enumerate(given):
        x = f"y{i - 1}" if i else "x"
        calls[f"y{i}"] = {"op": "call", "function": "inner", "inputs": [x, value]}
    graph = Graph.parse(
        spec(calls, functions={"inner": function({"y": node}, "y", BOTH)})
    )
    source = bx.generate(graph)
    assert_same_program(graph, source)
    FILES[f"kinds{len(FILES)}"] = source
    return next(line for line in source.splitlines() if line.startswith("def inner"))


FILES: dict[str, str] = {}
TIMES: Data = {"op": "multiply", "a": "x", "b": "s"}


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ([2], "int"),
        ([0.5], "float"),
        ([2, 0.5], "float"),
        (["x", 2], "Array | int"),
        (["x", 0.5, 2], "Array | float"),
        (["x"], "Array"),
    ],
)
def test_the_kinds_of_numbers_are_said(given: list[object], kind: str) -> None:
    assert called(TIMES, *given) == f"def inner(x: Array, s: {kind}) -> Array:"


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        ({"op": "maximum", "a": "x", "b": "s"}, "float"),  # JAX takes numbers
        ({"op": "greater", "a": "s", "b": "x"}, "float"),
        ({"op": "layer_norm", "x": "x", "features": 8, "bias": "s"}, "Any"),
        ({"op": "multiply", "a": "s", "b": "s"}, "Any"),  # maybe a number itself
    ],
)
def test_a_use_that_wants_an_array_leaves_it_open(node: Data, kind: str) -> None:
    assert f"s: {kind}" in called(node, 0.5)


def test_a_number_is_handed_on(tmp_path: Path) -> None:
    outer = function(
        {"y": {"op": "call", "function": "inner", "inputs": ["x", "s"]}}, "y", BOTH
    )
    graph = Graph.parse(
        spec(
            {"y": {"op": "call", "function": "outer", "inputs": ["x", 3]}},
            functions={"inner": function({"y": TIMES}, "y", BOTH), "outer": outer},
        )
    )
    FILES["handed"] = source = bx.generate(graph)
    assert source.count("s: int") == 2


def test_all_of_them_are_typed(tmp_path: Path) -> None:
    """The files of the tests before, at once."""
    called(TIMES, 2, "x")
    assert_typed(FILES, tmp_path)
