"""Removing, adding or moving named nodes changes no other node's arrays or masks."""

from __future__ import annotations

from random import Random
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runtime.calling import KEY, WIDTH, X, dropout, fn, linear, node
from sample_specs import Data

import blox as bx
from blox.schema import Graph

NAMES = [f"part_{i}" for i in range(7)]
ONES = jnp.ones((3, WIDTH))
INNER: Data = fn(
    {"w": linear(), "drop": dropout("ones"), "y": node("add", None, a="w", b="drop")},
    {"x": "y", "mask": "drop"},
    inputs={"x": {}, "ones": {}, "key": KEY},
)
DEEP: Data = fn(
    {
        "below": {"op": "call", "function": "inner",
                  "inputs": {"x": "x", "ones": "ones", "key": "key"}},
        "drop": dropout("ones"),
        "both": node("concatenate", None, xs=["below.mask", "drop"], axis=0),
    },
    {"x": "below.x", "mask": "both"},
    inputs={"x": {}, "ones": {}, "key": KEY},
)  # fmt: skip


def a_part(draw: Random) -> Data:
    """A node that has arrays, draws masks, or both, of every kind of function."""
    given: Data = {"x": "x", "ones": "ones", "key": "key"}
    fixed: Data = {"ones": "ones", "key": "key"}
    function = draw.choice(["inner", "deep"])
    loops: list[Data] = [
        {"op": "call", "function": function, "inputs": given},
        {"op": "repeat", "function": function, "count": 2, "carry": {"x": "x"},
         "inputs": fixed, "scan": draw.random() < 0.5},
        {"op": "scan", "function": function, "length": 2, "carry": {"x": "x"},
         "inputs": fixed, "remat": draw.choice([None, "nothing_saveable"])},
        {"op": "map", "function": function, "count": 2, "inputs": given},
        {"op": "cond", "predicate": 1, "then": function, "else": "inner"
         if function == "inner" else "deep", "inputs": given},
    ]  # fmt: skip
    return draw.choice(loops)


def graph_of(parts: dict[str, Data], order: list[str]) -> Graph:
    """A Graph of these parts side by side, each of which gives its masks."""
    keyed = {**X, "ones": X["x"], "key": {**KEY, "shape": []}}
    nodes = {name: parts[name] for name in order}
    outputs = {name: f"{name}.mask" for name in order}
    main = fn(nodes, outputs, inputs=keyed)
    functions = {"main": main, "inner": INNER, "deep": DEEP}
    return Graph.parse({"format": "blox/1", "name": "model", "functions": functions})


def seen(graph: Graph) -> tuple[dict[str, Any], Any]:
    """The arrays by path, and the masks by part."""
    params = bx.init(graph, jax.random.key(0))
    masks, _ = bx.build(graph)(params, ONES, ONES, jax.random.key(1))
    if len(graph.functions["main"].outputs) == 1:
        masks = {next(iter(graph.functions["main"].outputs)): masks}
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {jax.tree_util.keystr(path): np.asarray(a) for path, a in leaves}, masks


@pytest.mark.parametrize("seed", range(3))
def test_edits_of_a_model_leave_the_rest_as_it_was(seed: int) -> None:
    draw = Random(seed)
    parts = {name: a_part(draw) for name in NAMES}
    order = NAMES[:5]
    arrays, masks = seen(graph_of(parts, order))
    for _ in range(4):
        kept = draw.sample(order, draw.randint(1, 4))
        after = kept + draw.sample(NAMES[5:], draw.randint(0, 2))
        draw.shuffle(after)
        found, others = seen(graph_of(parts, after))
        common = [p for p in arrays if any(f"['{n}']" in p for n in kept)]
        assert {p for p in found if "part_5" not in p and "part_6" not in p} == {
            *common
        }
        for path in common:
            np.testing.assert_array_equal(found[path], arrays[path], path)
        for name in kept:
            np.testing.assert_array_equal(others[name], masks[name], name)
    apart = [m.tobytes() for m in masks.values()]
    assert len({*apart}) == len(apart)


def test_edits_within_a_function_too() -> None:
    """A node in front of another one, in a function that is called at several places."""
    more = {
        **INNER,
        "nodes": {"extra": linear(), "other": dropout("ones"), **INNER["nodes"]},
    }
    draw = Random(0)
    parts = {name: a_part(draw) for name in NAMES}
    plain = graph_of(parts, NAMES)
    data = plain.plain()
    data["functions"]["inner"] = more
    edited = Graph.parse(data)
    arrays, masks = seen(plain)
    found, others = seen(edited)
    assert len(found) > len(arrays)
    for path, array in arrays.items():
        np.testing.assert_array_equal(found[path], array, path)
    for name, mask in masks.items():
        np.testing.assert_array_equal(others[name], mask, name)
