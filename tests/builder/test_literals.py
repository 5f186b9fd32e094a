"""Infinite numbers, booleans and constants in Python: as `jax.numpy` has them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx
from blox.schema import Graph

X = np.array([[1.0, 2.0, 3.0, -4.0], [0.0, 5.0, 6.0, 7.0]], np.float32)


def graph_of(function: Callable[[bx.F, bx.Value], Any]) -> Graph:
    b = bx.GraphBuilder("model")

    @b.entry(x=bx.Input(["n", 4]))
    def main(f: bx.F, x: bx.Value) -> Any:
        return function(f, x)

    return b.graph()


def same(function: Callable[[bx.F, bx.Value], Any], wanted: Any) -> Graph:
    """The loaded model and the generated file give what NumPy or JAX does."""
    graph = graph_of(function)
    names: dict[str, Any] = {}
    exec(bx.generate(graph), names)
    for found in (bx.build(graph)({}, x=X)[0], names["model"]({}, X)):
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)
    return graph


def test_infinite_numbers_of_python() -> None:
    cut = np.where(X > 1, X, -np.inf).astype(np.float32)
    for value in (-jnp.inf, float("-inf"), np.float32("-inf"), "$-inf"):

        def main(f: bx.F, x: bx.Value, value: Any) -> bx.Value:
            return f.where(x > 1, x, value)

        graph = same(partial(main, value=value), cut)
        nodes = graph.plain()["functions"]["main"]["nodes"]
        assert nodes["where_1"]["b"] == "$-inf"
    same(lambda f, x: x.clip(-jnp.inf, 2), np.minimum(X, 2))
    same(lambda f, x: x * jnp.nan, X * np.float32("nan"))
    same(lambda f, x: jnp.inf + x, X + np.float32("inf"))
    wide = np.pad(X, [(0, 0), (1, 0)], constant_values=-np.inf)
    same(lambda f, x: f.pad(x, [[1, 0]], constant_values=-jnp.inf), wide)
    same(lambda f, x: f.full([2], jnp.nan), np.full(2, np.nan, np.float32))


def test_infinite_numbers_are_what_they_are_as_arguments() -> None:
    """They are no attributes: a call with one is another function."""

    def filled(f: bx.F, x: bx.Value, fill: float = 0.0) -> bx.Value:
        return f.where(x > 1, x, fill)

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        first = f.call("first", filled)(x, -jnp.inf)
        second = f.call("second", filled)(x, 0.5)
        return f.maximum(first, f.call("third", filled)(x, 0.25) + second)

    graph = same(main, np.where(X > 1, 2 * X, np.float32(0.75)))
    assert graph.functions["filled"].attributes == []
    assert graph.functions["filled_2"].attributes == ["fill"]


def test_loops_start_from_literals() -> None:
    def cell(f: bx.F, best: Any, found: Any, x: bx.Value) -> dict[str, Any]:
        now = x.max()
        return {"best": f.maximum(best, now), "found": found | (now > 6)}

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        out = f.scan("s", cell)(-jnp.inf, False, bx.slices(x))
        return f.where(out["found"], out["best"], 0.0)

    graph = same(main, np.float32(7))
    node = graph.plain()["functions"]["main"]["nodes"]["s"]
    assert node["carry"] == {"best": "$-inf", "found": False}


def test_a_literal_for_each_copy() -> None:
    def layer(f: bx.F, x: bx.Value, low: float, on: bool) -> bx.Value:
        return f.where(on, f.maximum(x, low), x)

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        low, on = bx.each([2.5, -jnp.inf]), bx.each([True, False])
        return f.repeat("h", layer, count=2)(x, low, on)

    same(main, np.maximum(X, 2.5))


def test_booleans() -> None:
    positive = X > 0
    same(lambda f, x: f.where(x > 0, True, False), positive)
    same(lambda f, x: f.logical_and(x > 0, True), positive)
    same(lambda f, x: (x > 0) & True, positive)
    same(lambda f, x: False | (x > 0), positive)
    same(lambda f, x: (x > 0) == False, ~positive)  # noqa: E712
    same(lambda f, x: x + True, X + 1)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ([1, 2, 3, 4], "int32"),
        (np.arange(4), "int32"),
        ([True, False, True, True], "bool"),
        (np.array([True, False]), "bool"),
        ([1, 2.5], "float32"),
        ([1, jnp.inf, -jnp.inf, jnp.nan], "float32"),
        (np.array([[1.0, np.inf]]), "float32"),
        (2, "int32"),
    ],
)
def test_constants_by_content(value: Any, dtype: str) -> None:
    same(lambda f, x: f.constant(value), np.asarray(value, dtype))


def test_a_constant_of_floats_is_of_the_model() -> None:
    graph = graph_of(lambda f, x: x * f.constant([0.1, 1.0, 2.0, 3.0]))
    found, _ = bx.build(graph, dtype="bfloat16")({}, x=jnp.ones((1, 4), "bfloat16"))
    assert found.dtype == jnp.bfloat16


def test_an_expression_has_no_infinite_part() -> None:
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return x * "$inf * 2"

    with pytest.raises(bx.SpecError, match="inf and nan as a whole value alone"):
        graph_of(main)


def test_included_graphs_keep_them() -> None:
    inner = graph_of(lambda f, x: f.where(x > 1, x, -jnp.inf) * f.constant(jnp.inf))
    b = bx.GraphBuilder("outer")
    base = b.include(inner)

    @b.entry(x=bx.Input(["n", 4]))
    def main(f: bx.F, x: bx.Value) -> Any:
        return f.call("inner", base.main)(x)

    found, _ = bx.build(b.graph())({}, x=X)
    wanted, _ = bx.build(inner)({}, x=X)
    np.testing.assert_array_equal(found, wanted)
