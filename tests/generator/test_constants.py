"""Attributes of the Graph as constants of a file, under names of their own."""

from __future__ import annotations

import pytest
from generated_files import assert_same_program, executed
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph


def scaled(attributes: dict[str, int | float], by: str, **more: Data) -> Graph:
    """A model that multiplies its input by an expression."""
    node: Data = {"op": "multiply", "a": "x", "b": by}
    return Graph.parse(spec({"y": node}, attributes=attributes, **more))


def test_an_expression_stands_as_it_is_written() -> None:
    source = bx.generate(
        scaled({"width": 12, "heads": 3, "idle": 7}, "$width // heads")
    )
    assert "\nWIDTH, HEADS = 12, 3\n" in source
    assert "return x * (WIDTH // HEADS)" in source
    assert "IDLE" not in source


@pytest.mark.parametrize(
    ("attribute", "constant"),
    [
        ("kvHeads", "KV_HEADS"),
        ("shapes", "SHAPES_"),  # a table of the file
        ("i", "I_"),  # looks like a number
        ("n2", "N2"),
    ],
)
def test_a_constant_has_a_name_that_is_free(attribute: str, constant: str) -> None:
    source = bx.generate(scaled({attribute: 3}, f"${attribute}"))
    assert f"\n{constant} = 3\n" in source
    assert executed(source)[constant] == 3


HALF = function(
    {"y": {"op": "divide", "a": "DEPTH", "b": "$depth"}}, "y", {"DEPTH": {}}
)
NAMES = spec(
    {
        "wide": {"op": "call", "function": "WIDTH", "inputs": ["x"]},
        "y": {"op": "multiply", "a": "wide", "b": "$width * (Width - rate)"},
    },
    attributes={"width": 2, "Width": 3, "depth": 2, "rate": 0.5},
    functions={"WIDTH": HALF},
)
"""Attributes that differ in case, a function and an input that are called so."""
STEP = function(
    {"sum": {"op": "add", "a": "s", "b": "x"}}, {"s": "sum"}, {"x": {}, "s": {}}
)
SCAN: Data = {"op": "scan", "function": "step", "axis": "$first"}
DECIDED = spec(
    {
        "many": SCAN | {"carry": {"s": 0.0}, "xs": {"x": "x"}},
        "steps": {"op": "arange", "stop": 4, "step": "$one", "dtype": "float32"},
        "y": {"op": "add", "a": "many.s", "b": "steps"},
    },
    inputs={"x": {"shape": [3], "dtype": "float"}},
    attributes={"first": 0, "one": 1},
    functions={"step": STEP},
)
"""An axis of 0, a step of 1, one group: what is decided by it is not written."""


def files() -> dict[str, str]:
    """Those that `test_clean` checks."""
    made = {"names": NAMES, "decided": DECIDED}
    return {name: bx.generate(Graph.parse(data)) for name, data in made.items()}


def test_names_of_the_user_stay() -> None:
    source = files()["names"]
    assert_same_program(Graph.parse(NAMES), source)
    assert "WIDTH_, WIDTH__, DEPTH_, RATE = 2, 3, 2, 0.5" in source
    assert "def WIDTH(DEPTH: Array)" in source


def test_a_constant_decides_as_its_number_does() -> None:
    source = files()["decided"]
    assert_same_program(Graph.parse(DECIDED), source)
    assert "moveaxis" not in source


def test_an_attribute_that_all_calls_give_alike_is_what_they_write() -> None:
    inner = function({"y": {"op": "multiply", "a": "x", "b": "$by + 1"}}, "y")
    inner["attributes"] = ["by"]
    outer = function(
        {
            "y": {
                "op": "call",
                "function": "inner",
                "inputs": ["x"],
                "attributes": {"by": "$factor"},
            }
        },
        "y",
    )
    outer["attributes"] = ["factor"]

    def graph(second: object) -> Graph:
        call: Data = {"op": "call", "function": "outer"}
        return Graph.parse(
            spec(
                {
                    "a": call
                    | {"inputs": ["x"], "attributes": {"factor": "$2 * width"}},
                    "b": call | {"inputs": ["a"], "attributes": {"factor": second}},
                },
                attributes={"width": 8},
                functions={"inner": inner, "outer": outer},
            )
        )

    alike = bx.generate(graph("$2 * width"))
    assert "def inner(x: Array) -> Array:\n    return x * (2 * WIDTH + 1)" in alike
    other = bx.generate(graph(16))  # the same number, for another reason
    assert "def inner(x: Array) -> Array:\n    return x * 17" in other
    apart = bx.generate(graph(5))
    assert "def inner(x: Array, *, by: int) -> Array:\n    return x * (by + 1)" in apart
    assert "outer(x, factor=2 * WIDTH)" in apart
    assert ", factor=5)" in apart


def test_an_attribute_that_sizes_parameters_alone_is_no_argument() -> None:
    inner = function(
        {"y": {"op": "linear", "x": "x", "in_features": 8, "out_features": "$units"}},
        "y",
    )
    inner["attributes"] = ["units"]
    call: Data = {"op": "call", "function": "inner", "inputs": ["x"]}
    graph = Graph.parse(
        spec(
            {
                "a": call | {"attributes": {"units": "$width"}},
                "b": call | {"attributes": {"units": 3}},
                "y": {"op": "concatenate", "xs": ["a", "b"], "axis": -1},
            },
            attributes={"width": 8},
            functions={"inner": inner},
        )
    )
    source = bx.generate(graph)
    assert "def inner(params: Params, x: Array) -> Array:" in source
    assert (
        "WIDTH" not in source[source.index("def inner") : source.index("# The shape")]
    )


def test_many_constants_stand_in_rows() -> None:
    attributes = {f"attribute_{i}": i for i in range(7)}
    source = bx.generate(scaled(dict(attributes), "$" + " + ".join(attributes)))
    lines = [line for line in source.splitlines() if line.startswith("ATTRIBUTE_")]
    assert lines == [
        "ATTRIBUTE_0, ATTRIBUTE_1, ATTRIBUTE_2 = 0, 1, 2",
        "ATTRIBUTE_3, ATTRIBUTE_4, ATTRIBUTE_5, ATTRIBUTE_6 = 3, 4, 5, 6",
    ]
