"""What is promised of outputs, held to what is inferred: for all sizes, in every type."""

from __future__ import annotations

from typing import Any

import pytest
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph

INPUTS: Data = {
    "x": {"shape": ["batch", "seq"], "dtype": "float"},
    "k": {"shape": ["batch", "cached"], "dtype": "float"},
    "n": {"shape": [], "dtype": "int32"},
    "bias": {"shape": ["seq"], "dtype": "float", "optional": True},
}
NODES: dict[str, Data] = {
    "relu": {"op": "relu", "x": "x"},
    "flat": {"op": "reshape", "x": "x", "shape": [-1]},
    "wide": {"op": "astype", "x": "x", "dtype": "float32"},
    "whole": {"op": "astype", "x": "k", "dtype": "int32"},
    "twice": {"op": "concatenate", "xs": ["k", "k"], "axis": 1},
    "kept": {"op": "add", "a": "k", "b": 1},
    "half": {"op": "index", "x": "k", "at": ":, :$cached // 2"},
    "first": {"op": "index", "x": "x", "at": ":, :$min(seq, 4)"},
    "count": {"op": "add", "a": "n", "b": 1},
    "zero": {"op": "default", "x": "bias", "default": 0.0},
}


def found(output: Data, **more: Any) -> list[str]:
    """The findings of a model with that output, without those of other nodes."""
    node = output["value"]
    nodes = {node: NODES[node]} if node in NODES else {}
    report = bx.validate(Graph.parse(spec(nodes, {"y": output}, INPUTS, **more)))
    return [str(d) for d in report.diagnostics]


@pytest.mark.parametrize(
    "output",
    [
        {"value": "relu", "shape": ["batch", "seq"], "dtype": "float"},
        {"value": "relu", "shape": ["...", "seq"]},
        {"value": "relu", "shape": ["batch", "...", "_"]},
        {"value": "relu", "shape": ["...", "batch", "seq"]},
        {"value": "flat", "shape": ["$batch * seq"]},
        {"value": "wide", "dtype": "float32"},
        {"value": "twice", "shape": ["batch", "$cached * 2"]},
        {"value": "half", "shape": ["batch", "$cached // 2"]},
        {"value": "first", "shape": ["batch", "$min(4, seq)"]},
        {"value": "kept", "next": "k"},
        {"value": "k", "next": "k", "shape": ["batch", "cached"]},
        {"value": "count", "next": "n", "shape": [], "dtype": "int32"},
        {"value": "zero", "next": "bias"},
    ],
    ids=str,
)
def test_what_is_kept(output: Data) -> None:
    if output["value"] == "first":  # JAX does not know that min is commutative
        assert all("can't be decided for all" in line for line in found(output))
    else:
        assert found(output) == []


@pytest.mark.parametrize(
    ("output", "line"),
    [
        (
            {"value": "relu", "shape": ["seq", "batch"]},
            "main.outputs.y.shape: expected shape [seq, batch], found [2, 3] at batch=2,",
        ),
        (
            {"value": "relu", "shape": ["batch"]},
            "main.outputs.y.shape: expected shape [batch], found [batch, seq]",
        ),
        (
            {"value": "relu", "shape": ["...", "_", "batch", "seq"]},
            "main.outputs.y.shape: expected shape [..., _, batch, seq], found [batch,",
        ),
        (
            {"value": "relu", "shape": ["_", 5]},
            "main.outputs.y.shape: expected shape [_, 5], found [2, 3] at batch=2, seq=3",
        ),
        (
            {"value": "flat", "shape": ["$batch * seq + 1"]},
            "main.outputs.y.shape: expected shape [$batch * seq + 1], found [6] at",
        ),
        (
            {"value": "relu", "shape": ["$seq % batch", "_"]},
            "main.outputs.y.shape: expected shape [$seq % batch, _], found [2, 3] at",
        ),
        (
            {"value": "relu", "shape": ["batch", "$batch * 1000000000000"]},
            "main.outputs.y.shape: expected shape [batch, $batch * 1000000000000], found",
        ),
        (
            {"value": "wide", "dtype": "float"},
            "main.outputs.y.dtype: expected float, found float32, where the model's "
            "float is bfloat16",
        ),
        (
            {"value": "whole", "dtype": "float"},
            "main.outputs.y.dtype: expected float, found int32",
        ),
        (
            {"value": "relu", "dtype": "float32"},
            "main.outputs.y.dtype: expected float32, found bfloat16, where the model's "
            "float is bfloat16",
        ),
        (
            {"value": "whole", "next": "k"},
            "main.outputs.y.next: expected float32[batch, cached] as the input k, found "
            "int32[batch, cached]",
        ),
        (
            {"value": "twice", "next": "k"},
            "main.outputs.y.next: expected float32[2, 5] as the input k, found "
            "float32[2, 10] at batch=2, seq=3, cached=5",
        ),
        (
            {"value": "relu", "next": "k"},
            "main.outputs.y.next: expected float32[2, 5] as the input k, found "
            "float32[2, 3] at",
        ),
        (
            {"value": "wide", "next": "x"},
            "main.outputs.y.next: expected bfloat16[batch, seq] as the input x, found "
            "float32[batch, seq], where the model's float is bfloat16",
        ),
    ],
    ids=str,
)
def test_what_is_broken(output: Data, line: str) -> None:
    (only,) = found(output)
    assert only.removeprefix("error ").removeprefix("shape ").startswith(line)


def test_bounds_help() -> None:
    """What no sizes break is no fault: seq is cached here."""
    output = {"value": "relu", "next": "k"}
    assert found(output, constraints=["seq == cached"]) == []


def test_each_call_of_a_function_is_held_to_it() -> None:
    inner = function(
        {"n": {"op": "relu", "x": "x"}},
        {"y": {"value": "n", "shape": ["rows", 8], "next": "x"}},
        {"x": {"shape": ["rows", "_"]}},
    )
    nodes: Data = {
        "good": {"op": "call", "function": "inner", "inputs": ["x"]},
        "cut": {"op": "index", "x": "good", "at": ":, :4"},
        "bad": {"op": "call", "function": "inner", "inputs": ["cut"]},
    }
    report = bx.validate(Graph.parse(spec(nodes, functions={"inner": inner})))
    (line,) = [str(d) for d in report.errors]
    assert (
        "main.bad.outputs.y.shape: expected shape [rows, 8], found [batch, 4]" in line
    )


def test_a_fault_of_an_input_makes_no_further_finding() -> None:
    inner = function(
        {"n": {"op": "relu", "x": "x"}},
        {"y": {"value": "n", "shape": ["$rows * cols", "..."], "next": "x"}},
        {"x": {"shape": ["rows", "cols", "_"]}},
    )
    nodes = {"bad": {"op": "call", "function": "inner", "inputs": ["x"]}}
    report = bx.validate(Graph.parse(spec(nodes, functions={"inner": inner})))
    (line,) = [str(d) for d in report.diagnostics]
    assert "main.bad.x: expected shape [rows, cols, _]" in line


def test_a_fault_makes_no_further_finding() -> None:
    nodes: Data = {"n": {"op": "reshape", "x": "x", "shape": [3, 7, "$batch"]}}
    output = {"value": "n", "shape": ["batch", 8], "dtype": "float", "next": "x"}
    report = bx.validate(Graph.parse(spec(nodes, {"y": output})))
    assert [d.path for d in report.errors] == ["main.n"]


def test_many_promises_are_bounded_work() -> None:
    letters = "abcdefgh"
    inputs = {d: {"shape": [d], "dtype": "float"} for d in letters}
    total = "+".join(letters)
    shape = [f"${'*'.join([f'({total})'] * 14)}"]
    outputs = {f"y{i}": {"value": "a", "shape": shape} for i in range(300)}
    report = bx.validate(Graph.parse(spec({}, outputs, inputs)))
    assert len(report.errors) == 101  # a hundred, and how many more
    assert "y0.shape: expected shape" in str(report.errors[0])
    assert "a value beyond 64 bits at a=2" in str(report.errors[0])
