"""Bounds of included entries: proven, moved to the dims of the caller, or refused."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from builder.including import (
    BOUNDED,
    called,
    gpt_with,
    lambda_named,
    shapes_of,
)
from golden_models import graph_of

import blox as bx
from blox.schema import Graph


def test_a_bound_moves_to_the_dim_of_the_caller() -> None:
    graph = gpt_with(called, ["batch", "length"])
    assert graph.plain()["dims"] == {"length": {"max": "$gpt_context"}}
    model = bx.build(graph)
    params = shapes_of(graph)
    jax.eval_shape(model, params, jnp.zeros((1, 16), "int32"))
    with pytest.raises(
        bx.ModelError, match=r"main.length: expected at most 16, found 17"
    ):
        jax.eval_shape(model, params, jnp.zeros((1, 17), "int32"))
    smaller = graph.replace_attributes(gpt_context=4)
    with pytest.raises(bx.ModelError, match=r"expected at most 4, found 5"):
        jax.eval_shape(bx.build(smaller), params, jnp.zeros((1, 5), "int32"))


def test_a_bound_that_is_proven_asks_for_nothing() -> None:
    graph = gpt_with(called, ["batch", "seq"], lambda b: b.dim("seq", max=9))
    assert graph.plain()["dims"] == {"seq": {"max": 9}}


def test_a_size_that_is_calculated_is_constrained() -> None:
    def twice(base: Any, f: bx.F, x: bx.Value) -> bx.Value:
        return called(base, f, f.concatenate([x, x], axis=1))

    graph = gpt_with(twice, ["batch", "seq"])
    assert graph.constraints == ["2 * seq <= gpt_context"]
    with pytest.raises(bx.ModelError, match=r"expected 2 \* seq <= gpt_context"):
        jax.eval_shape(bx.build(graph), shapes_of(graph), jnp.zeros((1, 9), "int32"))


def test_a_size_of_the_graph_is_constrained() -> None:
    b = bx.GraphBuilder("outer", length=8)
    base = b.include(graph_of("tiny_gpt"), name="gpt")

    @b.entry(x=bx.Input(["batch", b.length], "int32"))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return called(base, f, x)

    graph = b.graph()
    assert graph.constraints == ["length <= gpt_context"]
    with pytest.raises(bx.SpecError, match="length <= gpt_context"):
        graph.replace_attributes(length=17)


def test_a_size_that_does_not_fit_is_refused_at_the_call() -> None:
    with pytest.raises(
        bx.SpecError,
        match=r"main.model: expected seq at most gpt_context, as gpt.main says, found 17$",
    ):
        gpt_with(called, ["batch", 17])


def test_a_constraint_that_does_not_hold_is_refused_at_the_call() -> None:
    inner = {**BOUNDED, "dims": {}, "constraints": ["batch >= n"]}
    b = bx.GraphBuilder("outer")
    base = b.include(Graph.parse(inner), name="inner")
    with pytest.raises(
        bx.SpecError,
        match=r"main.c: expected batch >= n, as inner.main says, found 2 and 3$",
    ):
        b.entry(
            lambda_named(lambda f, x: f.call("c", base.main)(x)), x=bx.Input([2, 3])
        )


def test_bounds_that_conflict_are_named() -> None:
    with pytest.raises(
        bx.SpecError,
        match=r"dims.seq.max: expected at most gpt_context, as gpt.main takes no other "
        r"sizes, found 99; leave max= of b.dim\('seq'\) out",
    ):
        gpt_with(called, ["batch", "seq"], lambda b: b.dim("seq", max=99))
    with pytest.raises(
        bx.SpecError, match=r"dims.seq: .* found bounds that leave none"
    ):
        gpt_with(called, ["batch", "seq"], lambda b: b.dim("seq", min=17))


def test_an_axis_without_a_name_can_not_be_bounded() -> None:
    with pytest.raises(
        bx.SpecError, match=r"a size for seq that dims of main say.*give"
    ):
        gpt_with(called, ["batch", "_"])


def test_multiples_add_up() -> None:
    b = bx.GraphBuilder("outer")
    fours = b.include(Graph.parse(BOUNDED), name="fours")
    sixes = b.include(
        Graph.parse({**BOUNDED, "dims": {"n": {"multiple_of": 6}}}), name="sixes"
    )

    @b.entry(x=bx.Input(["batch", "m"]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("b", sixes.main)(f.call("a", fours.main)(x))

    graph = b.graph()
    assert graph.plain()["dims"] == {"m": {"min": 4, "multiple_of": 4}}
    assert graph.constraints == ["m % 6 == 0"]
    model = bx.build(graph)
    jax.eval_shape(model, {}, jnp.zeros((1, 12)))
    with pytest.raises(bx.ModelError, match="m % 6 == 0"):
        model({}, jnp.zeros((1, 8)))


def test_bounds_of_nested_calls_move_too() -> None:
    """From a loop in a function of the caller's, and of an entry that an entry calls."""
    b = bx.GraphBuilder("outer")
    base = b.include(graph_of("minilm"), name="bert")

    def one(f: bx.F, ids: bx.Value) -> dict[str, bx.Value]:
        return {"y": f.call("embed", base.sentence_embedding)(ids)}

    @b.entry(ids=bx.Input(["many", "batch", "words"], "int32"))
    def main(f: bx.F, ids: bx.Value) -> bx.Value:
        return f.map("each", one)(bx.slices(ids))["y"]

    assert b.graph().plain()["dims"] == {"words": {"max": "$bert_context"}}
