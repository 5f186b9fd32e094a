"""What a check of shapes leaves behind in the process."""

from __future__ import annotations

import gc
import itertools

import pytest
from sample_specs import RELU, spec

import blox as bx
from blox.schema import Graph
from blox.shapes import symbolic


def checked(features: int) -> None:
    up = {"op": "linear", "x": "x", "in_features": features, "out_features": 3}
    nodes = {"up": up, "act": {**RELU, "x": "up"}, "end": {"op": "softmax", "x": "act"}}
    inputs = {"x": {"shape": ["batch", "time", features], "dtype": "float"}}
    data = spec(nodes, inputs=inputs, dims={"batch": {"max": 100}})
    assert bx.validate(Graph.parse(data)).ok


def test_graphs_that_are_alike_are_kept_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """JAX keeps what it traced; with sizes of a scope of its own each took 600 objects."""
    monkeypatch.setattr(symbolic, "_GRAPHS", itertools.count())
    for _ in range(2):
        checked(5)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(5):
        checked(5)
    gc.collect()
    assert len(gc.get_objects()) - before < 5 * 50


def test_scopes_are_shared_by_so_many() -> None:
    """A scope remembers all that it decided: it does not serve for ever."""

    def scope(*constraints: str, turn: int = 0) -> object:
        return symbolic._scope(constraints, turn)

    assert scope("a >= 2") is scope("a >= 2")
    assert scope("a >= 2") is not scope("a >= 3")
    assert scope("a >= 2") is not scope("a >= 2", turn=1)
