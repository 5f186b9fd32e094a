"""Attributes that make no sense are refused, by name, before anything is computed."""

from __future__ import annotations

from typing import Any

import pytest
from ops import faults_of_arrays, faults_of_layers
from ops.calling import NODE
from ops.faults_of_layers import CONV
from pydantic import ValidationError

from blox.schema.expressions import ExpressionError

FAULTS = [*faults_of_layers.FAULTS, *faults_of_arrays.FAULTS]


@pytest.mark.parametrize(
    ("data", "problem"), FAULTS, ids=[f"{d['op']}: {p[:30]}" for d, p in FAULTS]
)
def test_problem(data: dict[str, Any], problem: str) -> None:
    (found,) = NODE.validate_python(data).problems()
    assert str(found).startswith(problem)
    field = found.field.partition(".")[0]
    assert field in type(NODE.validate_python(data)).model_fields


@pytest.mark.parametrize(
    "data",
    [
        {"op": "zeros", "shape": [True], "dtype": "float"},
        {"op": "zeros", "shape": [2], "dtype": "complex32"},
        {"op": "arange", "stop": 2, "dtype": "complex64"},
        {"op": "param", "shape": [2], "dtype": "complex128"},
        {"op": "reshape", "x": "x", "shape": ["any"]},
        CONV | {"padding": "same"},
        CONV | {"strides": 0.5},
        {"op": "sum", "x": "x", "axis": "last"},
        {"op": "index", "x": "x", "at": "__import__('os')"},
    ],
)
def test_not_of_the_type(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        NODE.validate_python(data)


def test_sizes_below_one_are_found_once_known() -> None:
    op = NODE.validate_python(CONV | {"kernel_size": ["$n - 1"]})
    with pytest.raises(ExpressionError, match="kernel_size: expected at least 1"):
        op.resolve({"n": 1})
    op = NODE.validate_python({"op": "zeros", "shape": [2, -1], "dtype": "float"})
    with pytest.raises(ExpressionError, match="shape: expected at least 0, found -1"):
        op.resolve({})


def test_split_takes_its_parts_from_names() -> None:
    data = {"op": "split", "x": "qkv", "names": ["q", "k", "v"], "axis": -1}
    op = NODE.validate_python(data)
    assert op.outputs() == ("q", "k", "v")
    assert op == NODE.validate_python(data | {"sections": 3})


@pytest.mark.parametrize(
    ("data", "shapes", "problem"),
    [
        (
            {"op": "depth_to_space", "x": "x", "block": [2, 2], "order": "DCR"},
            {"x": (3, 5, 6)},
            "block: expected to divide the features (6), found 4",
        ),
        (
            {"op": "window_partition", "x": "x", "window": [2, 3]},
            {"x": ("batch", 6, 8, 4)},
            "window: expected to divide the spatial axes (6, 8), found [2, 3]",
        ),
        (
            {"op": "space_to_depth", "x": "x", "block": [2, 4], "order": "CRD"},
            {"x": ("h", 6, 4)},
            "block: expected to divide the spatial axes ('h', 6), found [2, 4]",
        ),
        (
            {"op": "layer_norm", "x": "x", "features": [4, 3]},
            {"x": ("batch", 1, 3)},
            "features: expected sizes of the last axes, [1, 3], found [4, 3]",
        ),
        (
            {"op": "grid_sample", "x": "x", "grid": "g", "align_corners": True},
            {"x": (5, 5, 1), "grid": (3, 4)},
            "grid: expected a last axis of 1 to 3 coordinates, found 4",
        ),
        (
            {"op": "grid_sample", "x": "x", "grid": "g", "align_corners": True},
            {"x": (7, 5, 5, 1), "grid": (2,)},
            "grid: expected the leading dims of x, found axes 4 and 1",
        ),
    ],
)
def test_operands_that_do_not_fit(
    data: dict[str, Any], shapes: dict[str, Any], problem: str
) -> None:
    (found,) = NODE.validate_python(data).operand_problems(shapes)
    assert str(found) == problem
