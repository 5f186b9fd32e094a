"""Axes of slices at computed places: those that x has, each once."""

from __future__ import annotations

from typing import Any

import pytest
from sample_specs import Data, spec

import blox as bx
from blox.schema import Graph

INPUTS: Data = {"x": {"shape": [4, 8], "dtype": "float"}}


@pytest.mark.parametrize(
    ("axis", "text"),
    [
        ([2], "axes of x, which has 2, found 2"),
        ([-3], "axes of x, which has 2, found -3"),
        ([0, 5], "axes of x, which has 2, found 5"),
        ([1, -1], "each of 2 axes once, found [1, -1]"),
        ([0, 1, 2**40], f"axes of x, which has 2, found {2**40}"),
        ([0, -1], ""),
    ],
)
@pytest.mark.parametrize("op", ["dynamic_slice", "dynamic_update_slice"])
def test_axes(op: str, axis: list[int], text: str) -> None:
    node: dict[str, Any] = {"op": op, "x": "x", "start": [0] * len(axis), "axis": axis}
    node |= {"update": "x"} if "update" in op else {"size": [1] * len(axis)}
    report = bx.validate(Graph.parse(spec({"n": node}, inputs=INPUTS)))
    assert [(d.path, d.message) for d in report.errors] == (
        [("main.n.axis", f"expected {text}")] if text else []
    )
