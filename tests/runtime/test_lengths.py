"""Loops over xs whose length is not that of the loop are refused, not cut or clamped."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import jax.numpy as jnp
import pytest

import blox as bx


def graph(loop: dict[str, Any]) -> bx.Graph:
    function = {
        "inputs": {"x": {}, "s": {}},
        "nodes": {"add": {"op": "add", "a": "x", "b": "s"}},
        "outputs": {"x": "add"},
    }
    node = {"function": "f", "carry": {"x": "x"}, "xs": {"s": "z"}, **loop}
    main = {
        "inputs": {
            "x": {"shape": ["b", 4], "dtype": "float"},
            "z": {"shape": ["n", 4], "dtype": "float"},
        },
        "nodes": {"d": node},
        "outputs": {"y": "d"},
    }
    functions = {"main": main, "f": function}
    return bx.Graph.parse({"format": "blox/1", "name": "m", "functions": functions})


LOOPS: list[dict[str, Any]] = [
    {"op": "repeat", "count": 3, "scan": False},
    {"op": "repeat", "count": 3, "scan": True},
    {"op": "scan", "length": 3},
]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("rows", [2, 5])
def test_the_loader_refuses(loop: dict[str, Any], rows: int) -> None:
    model = bx.build(graph(loop))
    with pytest.raises(bx.ModelError, match=r"^main\.d: .*3"):
        model({}, jnp.zeros((1, 4)), jnp.ones((rows, 4)))
    y, _ = model({}, jnp.zeros((1, 4)), jnp.ones((3, 4)))
    assert (y == 3).all()


@pytest.mark.parametrize("loop", LOOPS[1:])
@pytest.mark.parametrize("rows", [2, 5])
def test_the_generated_file_refuses(loop: dict[str, Any], rows: int) -> None:
    module = ModuleType("m")
    exec(compile(bx.generate(graph(loop)), "m", "exec"), module.__dict__)
    with pytest.raises(ValueError, match="length"):
        module.m({}, jnp.zeros((1, 4)), jnp.ones((rows, 4)))


def test_a_scan_over_a_dim_needs_no_bounds() -> None:
    found = bx.validate(graph({"op": "scan"}))
    assert list(found) == []
