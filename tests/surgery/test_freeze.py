"""`edit.freeze` and `train`: marks in the Graph, which `bx.split` and files see."""

from __future__ import annotations

import json
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from sample_specs import function, spec
from surgery.nets import net, two

import blox as bx
from blox.schema import Graph


def test_a_function_is_copied_where_its_calls_come_to_differ() -> None:
    graph = two()
    one = bx.edit(graph).freeze("a.up")
    leaves = one.graph.program().leaves()
    assert [p for p, leaf in leaves.items() if leaf.frozen] == [
        "a.up.kernel",
        "a.up.bias",
    ]
    assert one.plan.frozen == ("a.up.kernel", "a.up.bias")
    back = bx.edit(one.graph).train("*.bias")
    assert (back.plan.frozen, back.plan.trained) == ((), ("a.up.bias",))
    assert str(back.plan).endswith("trained  1 array   a.up.bias")
    assert json.loads(back.plan.to_json())["trained"] == ["a.up.bias"]
    assert list(one.graph.functions) == ["main", "block", "block_2"]
    assert one.graph.functions["block"] == graph.functions["block"]
    both = one.freeze("b")
    assert all(leaf.frozen for leaf in both.graph.program().leaves().values())
    assert bx.edit(graph).freeze("a", "b").train("*").graph == graph
    moved = bx.edit(graph).rename("b.up", "b.proj")
    assert [*moved.graph.program().leaves()][2:] == ["b.proj.kernel", "b.proj.bias"]
    again = moved.rename("b.proj", "b.up")
    assert dict(again.graph.program().leaves()) == dict(graph.program().leaves())
    assert again.plan.changed == ()


def test_freezing_is_what_split_and_a_saved_file_see(tmp_path: Any) -> None:
    graph = net()
    params = bx.init(graph, jax.random.key(0))
    edit = bx.edit(graph).freeze("h")
    bx.save(tmp_path / "net", edit.graph, edit.carry_over(params))
    loaded, params = bx.load(tmp_path / "net")
    trainable, rest = bx.split(loaded, params)
    assert jax.tree.map(jnp.shape, trainable["out"]) == {"bias": (2,), "kernel": (4, 2)}
    assert not jax.tree.leaves(trainable["h"])
    assert len(jax.tree.leaves(rest)) == 2


def test_copies_of_a_list_are_frozen_all_or_none() -> None:
    graph = net(scan=False)
    with pytest.raises(
        bx.SpecError, match="expected the same of all copies of a repeat"
    ):
        bx.edit(graph).freeze("h.0.up")
    edit = bx.edit(graph).freeze("h.*.up")
    assert len([x for x in edit.graph.program().leaves().values() if x.frozen]) == 6


def test_arrays_in_the_body_of_an_op_are_frozen_there() -> None:
    cap = function({"w": {"op": "linear", "x": "x", "in_features": 8, "out_features": 8}},
                   "w")  # fmt: skip
    made = spec({"c": {"op": "acme:cap", "x": "x"}}, "c", functions={"cap_of": cap})
    graph = Graph.parse({**made, "ops": {"acme:cap": "cap_of"}})
    leaf = next(iter(graph.program().leaves()))
    with pytest.raises(
        bx.SpecError, match="an op with a body of the Graph has its nodes"
    ):
        bx.edit(graph).freeze(leaf)
    moved = bx.edit(graph).rename("main.c", "d")
    assert moved.plan.changed[0].old == (leaf,)


def test_int8_is_not_trained_and_floats_are_again() -> None:
    small = bx.edit(net()).quantize("main.out")
    assert small.plan.frozen == ("out.kernel.values", "out.kernel.scale")
    back = bx.edit(small.graph).dequantize()
    assert (back.plan.frozen, back.plan.trained) == ((), ("out.kernel",))
    assert (both := small.dequantize().plan).frozen == both.trained == ()
