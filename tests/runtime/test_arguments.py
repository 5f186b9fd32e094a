"""What a call takes and gives: by position or name, optional inputs, numbers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from runtime.calling import (
    WIDTH,
    X,
    assert_close,
    call,
    fn,
    graph,
    node,
    ones,
    run,
)

import blox as bx

x = ones(3, WIDTH)


OPTIONAL = {"shape": ["batch", WIDTH], "dtype": "float", "optional": True}


def test_optional_inputs_in_every_position() -> None:
    model = graph(
        {
            "zero": node("zeros_like"),
            "b0": node("default", "b", default="zero"),
            "c0": node("default", "c", default="zero"),
            "ten": node("multiply", None, a="b0", b=10.0),
            "hundred": node("multiply", None, a="c0", b=100.0),
            "s": node("add", None, a="x", b="ten"),
            "t": node("add", None, a="s", b="hundred"),
        },
        inputs={**X, "b": OPTIONAL, "c": OPTIONAL},
    )
    one = jnp.ones_like(x)
    for given, expected in (
        ({}, x),
        ({"b": one}, x + 10),
        ({"c": one}, x + 100),
        ({"b": one, "c": one}, x + 110),
        ({"b": None, "c": one}, x + 100),
    ):
        assert_close(bx.build(model)({}, x, **given)[0], expected)
    assert_close(run(model, {}, x, None, one)[0], x + 100)
    assert_close(run(model, {}, x, one)[0], x + 10)


@pytest.mark.parametrize(
    "kind", ["call", "remat", "unrolled", "scanned", "map", "cond"]
)
def test_an_optional_input_passes_through(kind: str) -> None:
    part = fn(
        {
            "zero": node("zeros_like"),
            "given": node("default", "b", default="zero"),
            "y": node("add", None, a="x", b="given"),
        },
        inputs={"x": {}, "b": {"optional": True}},
    )
    both: dict[str, Any] = {"x": "x", "b": "b"}
    only = {"b": "b"}
    nodes: dict[str, Any] = {
        "call": call("part", both),
        "remat": call("part", both, remat="nothing_saveable"),
        "map": {"op": "map", "function": "part", "xs": {"x": "x"}, "inputs": only},
    }
    for how in ("unrolled", "scanned"):
        nodes[how] = {
            "op": "repeat",
            "function": "part",
            "count": 1,
            "carry": {"x": "x"},
            "inputs": only,
            "scan": how == "scanned",
        }
    nodes["cond"] = {
        "op": "cond",
        "predicate": 1,
        "then": "part",
        "else": "part",
        "inputs": both,
    }
    model = graph(
        {"y": nodes[kind]},
        inputs={
            "x": {"shape": ["batch", WIDTH], "dtype": "float"},
            "b": {"shape": [WIDTH], "dtype": "float", "optional": True},
        },
        functions={"part": part},
    )
    assert_close(run(model, {}, x)[0], x)
    assert_close(run(model, {}, x, jnp.full(WIDTH, 2.0))[0], x + 2)


def test_numbers_as_inputs_of_a_call_and_as_outputs() -> None:
    part = fn(
        {"y": node("add", None, a="x", b="n")},
        {"y": "y", "n": "n"},
        inputs={"x": {}, "n": {}},
    )
    model = graph(
        {
            "a": call("part", {"x": "x", "n": 3}),
            "b": node("add", None, a="a.y", b="a.n"),
        },
        {"y": "b", "n": "a.n"},
        functions={"part": part},
    )
    found, _ = run(model, {}, x)
    assert_close(found, {"y": x + 6, "n": 3})
    eager, _ = bx.build(model)({}, x)
    assert isinstance(eager["n"], jax.Array)


def test_outputs_are_inputs_and_the_same_node_twice() -> None:
    model = graph({"y": node("negative")}, {"a": "x", "b": "y", "c": "y"})
    found, _ = run(model, {}, x)
    assert_close(found, {"a": x, "b": -x, "c": -x})


def test_inputs_by_position_and_by_name() -> None:
    model = graph(
        {"y": node("subtract", None, a="x", b="z")}, inputs={**X, "z": X["x"]}
    )
    built = bx.build(model)
    for found, _ in (
        built({}, x, 2 * x),
        built({}, x, z=2 * x),
        built({}, z=2 * x, x=x),
    ):
        assert_close(found, -x)
    found, _ = built(params={}, x=x, z=2 * x)
    assert_close(found, -x)
