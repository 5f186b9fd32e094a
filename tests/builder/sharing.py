"""Programs that are hard on sharing functions: what Python would have done, all the same.

Each is built as it is, and with a function of its own for every call; both give the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx
from blox.builder import groups
from blox.builder.alike import key_of
from blox.schema import Graph

Outputs = dict[str, bx.Value]
X = {"x": bx.Input(["batch", 8])}
ROWS = {"x": bx.Input(["batch", "seq"])}
TWO = {"x": bx.Input(["batch", "src"]), "y": bx.Input(["batch", "tgt"])}


def built(main: Callable[..., Any], inputs: dict[str, bx.Input], **attrs: int) -> Graph:
    b = bx.GraphBuilder("m", **attrs)
    b.entry(main, **inputs)
    return b.graph()


def run(
    main: Callable[..., Any],
    inputs: dict[str, bx.Input],
    monkeypatch: pytest.MonkeyPatch,
    *arrays: Any,
    **attrs: int,
) -> tuple[Graph, Any, Any]:
    """The Graph, its parameters and outputs, compared with those without sharing."""
    graph = built(main, inputs, **attrs)
    key = key_of
    with monkeypatch.context() as apart:
        apart.setattr(groups, "key_of", lambda trace, of: (*key(trace, of), trace.path))
        alone = built(main, inputs, **attrs)
    shapes, expected = (
        {path: leaf.full_shape for path, leaf in g.program().leaves().items()}
        for g in (graph, alone)
    )
    assert shapes == expected
    params = bx.init(graph, jax.random.key(0))
    found, wanted = (bx.build(g)(params, *arrays)[0] for g in (graph, alone))
    assert jax.tree.map(lambda x: x.dtype, found) == jax.tree.map(
        lambda x: x.dtype, wanted
    )
    jax.tree.map(np.testing.assert_array_equal, found, wanted)
    return graph, params, found


ONES = jnp.ones((3, 8))


def axis_by_number(f: bx.F, x: bx.Value, y: bx.Value) -> Outputs:
    def row(f: bx.F, x: bx.Value, *, axis: int) -> bx.Value:
        return f.zeros([x.shape[axis]])

    return {"a": f.call("a", row)(x, axis=0), "b": f.call("b", row)(x, axis=1)}
