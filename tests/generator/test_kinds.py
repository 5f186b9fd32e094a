"""Annotations of inputs that calls give numbers."""

from __future__ import annotations

from typing import Any

import pytest
from generated_files import assert_same_program
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph

BOTH: Data = {"x": {}, "s": {}}
TIMES: Data = {"op": "multiply", "a": "x", "b": "s"}
NUMBERS: list[tuple[list[Any], str]] = [
    ([2], "int"),
    ([0.5], "float"),
    ([2, 0.5], "float"),
    (["x", 2], "Array | int"),
    (["x", 0.5, 2], "Array | float"),
    (["x"], "Array"),
]
OPEN: list[tuple[Data, str]] = [
    ({"op": "maximum", "a": "x", "b": "s"}, "float"),  # JAX takes numbers
    ({"op": "greater", "a": "s", "b": "x"}, "float"),
    ({"op": "layer_norm", "x": "x", "features": 8, "bias": "s"}, "Any"),
    ({"op": "multiply", "a": "s", "b": "s"}, "Any"),  # maybe a number itself
]


def called(node: Data, *given: object) -> Graph:
    """A model that calls a function of x and s with this node, once for each of these."""
    calls: Data = {}
    for i, value in enumerate(given):
        x = f"y{i - 1}" if i else "x"
        calls[f"y{i}"] = {"op": "call", "function": "inner", "inputs": [x, value]}
    return Graph.parse(
        spec(calls, functions={"inner": function({"y": node}, "y", BOTH)})
    )


def handed_on() -> Graph:
    """A number that a function gives to another one."""
    call: Data = {"op": "call", "function": "inner", "inputs": ["x", "s"]}
    outer = function({"y": call}, "y", BOTH)
    return Graph.parse(
        spec(
            {"y": {"op": "call", "function": "outer", "inputs": ["x", 3]}},
            functions={"inner": function({"y": TIMES}, "y", BOTH), "outer": outer},
        )
    )


def files() -> dict[str, str]:
    """Those that `test_clean` checks."""
    graphs = [called(TIMES, *given) for given, _ in NUMBERS]
    graphs += [called(node, 0.5) for node, _ in OPEN]
    graphs += [called(TIMES, 2, "x"), handed_on()]
    return {str(i): bx.generate(graph) for i, graph in enumerate(graphs)}


def head(graph: Graph) -> str:
    """The first line of the inner function, in the file of a graph."""
    source = bx.generate(graph)
    assert_same_program(graph, source)
    return next(line for line in source.splitlines() if line.startswith("def inner"))


@pytest.mark.parametrize(("given", "kind"), NUMBERS)
def test_the_kinds_of_numbers_are_said(given: list[Any], kind: str) -> None:
    assert head(called(TIMES, *given)) == f"def inner(x: Array, s: {kind}) -> Array:"


@pytest.mark.parametrize(("node", "kind"), OPEN)
def test_a_use_that_wants_an_array_leaves_it_open(node: Data, kind: str) -> None:
    assert f"s: {kind}" in head(called(node, 0.5))


def test_a_number_is_handed_on() -> None:
    assert bx.generate(handed_on()).count("s: int") == 2
