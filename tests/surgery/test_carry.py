"""Arrays carry over as the plan says: bit for bit, every one accounted for."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest
from golden_models import graph_of
from surgery.checking import filled

import blox as bx
from blox.mapping.layouts import Affine, Sum
from blox.mapping.moves import Move, Slice
from blox.runtime.given import flat
from blox.surgery.plan import Array, Carried, Step, plan_of, same_paths

move = Move.whole


def lora(f: bx.F, node: bx.Node) -> bx.Value:
    low = f.linear(f"{node.name}_down", node.x, 2, use_bias=False)
    changed: bx.Value = node() + f.linear(f"{node.name}_up", low, node.out_features)
    return changed


def test_what_stays_is_the_same_object_and_what_is_new_is_that_of_init() -> None:
    graph = graph_of("tiny_gpt")
    params = filled(graph)
    edited = bx.edit(graph).replace("attention.qkv", lora)
    found = dict(flat(edited.carry_over(params, jax.random.key(1))))
    key = jax.random.key(1)
    whole = dict(flat(bx.init(edited.graph, key, given=params)))
    old = dict(flat(params))
    assert found.keys() == whole.keys()
    for path, array in found.items():
        if path in old:
            assert array is old[path]
        else:
            assert jnp.array_equal(array, whole[path])
    assert [a.path for a in edited.plan.new] == [p for p in whole if p not in old]
    assert edited.plan.dropped == ()
    assert edited.plan.changed == ()


def test_an_edit_of_nothing_needs_no_key() -> None:
    graph = graph_of("albert")
    params = filled(graph)
    assert bx.edit(graph).graph is graph
    assert bx.edit(graph).carry_over(params) == params
    assert str(bx.edit(graph).plan).startswith("as is  ")


def made(*leaves: str) -> bx.Graph:
    b = bx.GraphBuilder("model")

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        for name in leaves:
            x = x * f.param(name, [4], init={"value": {"name": "ones"}})
        return x

    return b.graph()


def test_operations_one_after_another_are_one_plan() -> None:
    a, b, c = made("p", "q"), made("r", "s"), made("t", "u")
    first = Step(a, b, (move(["r"], ["p", "q"], Sum()),), {"r": "summed"})
    twice = move(["t"], ["r", "s"], Sum(), Affine(2.0))
    second = Step(b, c, (twice,), {"t": "twice their sum"})
    plan = plan_of([first, second])
    assert plan.carried == (Carried("t", ("p", "q"), "summed, then twice their sum"),)
    assert plan.new == (Array("u", (4,), "float"),)
    assert plan.dropped == ()
    assert str(plan) == (
        "carried  t  p, q: summed, then twice their sum\nnew      u  float[4]"
    )
    edited = bx.edit(a).then(first).then(second)
    params = {"p": jnp.full(4, 2.0), "q": jnp.full(4, 3.0)}
    found = edited.carry_over(params, jax.random.key(0))
    # s was new in between and is made of ones.
    assert jnp.array_equal(found["t"], jnp.full(4, 2 * (5.0 + 1.0)))
    assert jnp.array_equal(found["u"], jnp.ones(4))


def test_new_arrays_have_the_type_of_the_others() -> None:
    graph = graph_of("tiny_gpt")
    params = filled(graph, "bfloat16")
    edited = bx.edit(graph).replace("attention.qkv", lora)
    found = edited.carry_over(params, jax.random.key(1))
    assert found["h"]["attn"]["qkv_up"]["kernel"].dtype == jnp.bfloat16


def test_a_step_that_leaves_something_open_is_no_step() -> None:
    a, b = made("p", "q"), made("q", "r")
    assert same_paths(a, b) == (move(["q"], ["q"]),)
    part = Move((Slice("q", (0,)),), (Slice("q"),))
    for wrong in (
        move(["q"], ["z"]),
        move(["z"], ["q"]),
        move(["q"], ["p", "q"]),
        part,
    ):
        with pytest.raises(AssertionError):
            Step(a, b, (wrong,))
    with pytest.raises(AssertionError, match="two moves"):
        Step(a, b, (move(["q"], ["q"]), move(["q"], ["p"])))


def test_faults_of_params_are_all_told() -> None:
    a = made("p", "q")
    edited = bx.edit(a).replace("main.q", lambda f, node: f.param("r", [4]))
    with pytest.raises(bx.ModelError, match=r"q: expected an array of the old Graph"):
        edited.carry_over({"p": jnp.ones(4)}, jax.random.key(0))
    with pytest.raises(bx.ModelError, match="r: expected a key for what is new"):
        edited.carry_over({"p": jnp.ones(4), "q": jnp.ones(4)})
    with pytest.raises(bx.ModelError, match=r"q: expected shape \[4\], found \[3\]"):
        edited.carry_over({"p": jnp.ones(4), "q": jnp.ones(3)}, jax.random.key(0))
