"""`edit.copies`: which copies of a repeat stay, and what more of them are."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from sample_specs import function, spec
from surgery.inner import outputs_of
from surgery.nets import X, net
from trees import same_structure

import blox as bx
from blox.runtime.given import flat
from blox.schema import Graph


@pytest.mark.parametrize("scan", [True, False])
def test_chosen_copies_keep_their_arrays(scan: bool) -> None:
    graph = net(scan)
    params = bx.init(graph, jax.random.key(0))
    edit = bx.edit(graph).copies("h", [2, 0, 2])
    assert edit.graph == graph
    found = edit.carry_over(params)
    assert same_structure(found, params)
    kernels = [params["h"]["up"]["kernel"][i] if scan else params["h"][i]["up"]["kernel"]
               for i in (2, 0, 2)]  # fmt: skip
    own = (
        found["h"]["up"]["kernel"] if scan else [p["up"]["kernel"] for p in found["h"]]
    )
    assert jnp.array_equal(jnp.stack(list(own)), jnp.stack(kernels))


@pytest.mark.parametrize("scan", [True, False])
def test_the_first_copies_compute_what_they_did(scan: bool) -> None:
    graph = net(scan)
    params = bx.init(graph, jax.random.key(0))
    edit = bx.edit(graph).copies("h", 2)
    assert edit.graph.attributes["depth"] == 2
    shallow = edit.outputs("h", names=["state"])
    deep = graph.with_outputs("h.add_1", names=["states"])
    was = outputs_of(deep, params, X)["states"][1]
    is_ = outputs_of(shallow.graph, shallow.carry_over(params), X)["state"]
    assert jnp.array_equal(was, is_)


@pytest.mark.parametrize("scan", [True, False])
def test_more_copies_are_new_or_those_of_the_last(scan: bool) -> None:
    graph = net(scan)
    params = bx.init(graph, jax.random.key(0))
    edit = bx.edit(graph).copies("h", 5)
    key = jax.random.key(7)

    def kernels(params: Any) -> Any:
        h = params["h"]
        return h["up"]["kernel"] if scan else jnp.stack([p["up"]["kernel"] for p in h])

    found, whole = edit.carry_over(params, key), bx.init(edit.graph, key)
    assert jnp.array_equal(kernels(found)[:3], kernels(params))
    assert jnp.array_equal(kernels(found)[3:], kernels(whole)[3:])
    last = bx.edit(graph).copies("h", 5, new="last")
    found = last.carry_over(params)
    assert jnp.array_equal(kernels(found)[3:], jnp.stack([kernels(params)[2]] * 2))
    assert last.plan.new == ()


def test_copies_of_what_is_new_are_those_of_init() -> None:
    """Also where some copies are old, and those of a list."""
    key = jax.random.key(2)
    for scan in (True, False):
        graph = net(scan)
        params = bx.init(graph, jax.random.key(0))
        edit = bx.edit(graph).insert(lambda f, x: f.linear("extra", x, 4), after="*.up")
        edit = edit.copies("h", [2, 0]).copies("h", 3)
        found = dict(flat(edit.carry_over(params, key)))
        whole = dict(flat(bx.init(edit.graph, key)))
        for row in edit.plan.new:
            assert jnp.array_equal(found[row.path], whole[row.path])
        made, old = (
            [p["h.up.kernel"][i] if scan else p[f"h.{i}.up.kernel"] for i in range(3)]
            for p in (found, dict(flat(params)))
        )
        assert jnp.array_equal(made[0], old[2])
        assert jnp.array_equal(made[1], old[0])
        if scan:
            assert jnp.array_equal(made[2], whole["h.up.kernel"][2])


def test_a_repeat_without_copies_is_one_that_carries_its_input_on() -> None:
    graph = net()
    params = bx.init(graph, jax.random.key(0))
    none = bx.edit(graph).copies("h", 0)
    assert [a.path for a in none.plan.dropped] == ["h.up.kernel", "h.up.bias"]
    out = outputs_of(none.graph, none.carry_over(params), X)["out"]
    assert jnp.allclose(out, X @ params["out"]["kernel"] + params["out"]["bias"])
    some = none.copies("h", 2)
    assert [a.path for a in some.plan.new] == ["h.up.kernel", "h.up.bias"]
    with pytest.raises(
        bx.SpecError, match="expected a copy to copy, found none; say new="
    ):
        none.copies("h", 1, new="last")


def test_a_count_that_others_have_too_is_a_number_from_then_on() -> None:
    call = {"op": "repeat", "function": "g", "count": "$n", "carry": {"x": "x"}}
    inner = {"w": {"op": "linear", "x": "x", "in_features": 8, "out_features": 8}}
    graph = Graph.parse(
        spec({"a": call, "b": {**call, "carry": {"x": "a"}}}, "b", attributes={"n": 3},
             functions={"g": function(inner, {"x": "w"})})
    )  # fmt: skip
    edit = bx.edit(graph).copies("a", 2)
    nodes = edit.graph.plain()["functions"]["main"]["nodes"]
    assert (nodes["a"]["count"], nodes["b"]["count"]) == (2, "$n")
    assert edit.graph.attributes == {"n": 3}
    assert [row.new for row in edit.plan.changed] == ["a.w.kernel", "a.w.bias"]


def test_a_count_that_is_a_width_too_is_a_number_from_then_on() -> None:
    inner = {
        "w": {"op": "linear", "x": "x", "in_features": 8, "out_features": "$n"},
        "z": {"op": "linear", "x": "w", "in_features": "$n", "out_features": 8},
    }
    call = {"op": "repeat", "function": "g", "count": "$n", "carry": {"x": "x"}}
    functions = {"g": function(inner, {"x": "z"})}
    graph = Graph.parse(
        spec({"a": call}, "a", attributes={"n": 3}, functions=functions)
    )
    edit = bx.edit(graph).copies("a", [2, 0])
    assert edit.graph.attributes == {"n": 3}
    assert {row.how for row in edit.plan.carried} == {"copies 2, 0"}
    assert not edit.plan.new


@pytest.mark.parametrize("scan", [True, False])
def test_what_is_in_all_copies_needs_no_number(scan: bool) -> None:
    inner = {"w": {"op": "linear", "x": "x", "in_features": 8, "out_features": 8}}
    call = {"op": "repeat", "count": 3, "carry": {"x": "x"}, "scan": scan}
    functions = {"f": function({"i": {**call, "function": "g"}}, {"x": "i"}),
                 "g": function(inner, {"x": "w"})}  # fmt: skip
    graph = Graph.parse(
        spec({"o": {**call, "function": "f"}}, "o", functions=functions)
    )
    edit = bx.edit(graph).rename("o.i", "o.j").copies("o.i", [2, 1])
    old = bx.init(graph, jax.random.key(0))
    new = edit.carry_over(old)

    def kernel(params: Any, name: str, o: int, i: int) -> Any:
        if scan:
            return params["o"][name]["w"]["kernel"][o, i]
        return params["o"][o][name][i]["w"]["kernel"]

    for o in range(3):
        for now, was in enumerate([2, 1]):
            assert jnp.array_equal(kernel(new, "j", o, now), kernel(old, "i", o, was))


def test_what_happens_twice_is_said_twice() -> None:
    edit = bx.edit(net()).copies("h", [1, 0, 2]).copies("h", [1, 0, 2])
    assert {r.how for r in edit.plan.changed} == {"copies 1, 0, 2, then copies 1, 0, 2"}
