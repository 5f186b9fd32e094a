"""Dims of callers and callees: functions are shared where they mean the same sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import pytest
from builder.sharing import ONES, TWO, Outputs, X, axis_by_number, run

import blox as bx


def dim_less_an_argument(f: bx.F, x: bx.Value, y: bx.Value) -> Outputs:
    def cut(f: bx.F, x: bx.Value, *, k: int) -> bx.Value:
        return x[0, : x.shape[1] - k]

    return {"a": f.call("a", cut)(x, k=1), "b": f.call("b", cut)(x, k=2)}


def dim_less_a_closure(f: bx.F, x: bx.Value, y: bx.Value) -> Outputs:
    found = {}
    for k, name in ((1, "a"), (2, "b")):

        def cut(f: bx.F, x: bx.Value, k: int = k) -> bx.Value:
            return x[0, : x.shape[1] - k]

        found[name] = f.call(name, cut)(x)
    return found


def dims_that_are_one(f: bx.F, x: bx.Value, y: bx.Value) -> Outputs:
    def row(f: bx.F, x: bx.Value, y: bx.Value) -> bx.Value:
        return f.zeros([x.shape[1] + y.shape[1]])

    return {"a": f.call("a", row)(x, x), "b": f.call("b", row)(x, y)}


def derived_dims_that_are_one(f: bx.F, x: bx.Value, y: bx.Value) -> Outputs:
    def row(f: bx.F, x: bx.Value, y: bx.Value) -> bx.Value:
        return f.zeros([f.relu(y).shape[1]])

    return {"a": f.call("a", row)(x, x), "b": f.call("b", row)(x, y)}


def dims_of_other_ranks(f: bx.F, x: bx.Value, y: bx.Value) -> Outputs:
    def row(f: bx.F, x: bx.Value) -> bx.Value:
        return f.zeros([x.shape[1]])

    return {"a": f.call("a", row)(x), "b": f.call("b", row)(y[..., None])}


def dim_beside_an_argument_of_its_name(f: bx.F, x: bx.Value, y: bx.Value) -> Outputs:
    def row(f: bx.F, x: bx.Value, *, src: int) -> bx.Value:
        return f.zeros([x.shape[1] * src])

    return {"a": f.call("a", row)(x, src=2), "b": f.call("b", row)(y, src=3)}


def dims_in_branches(f: bx.F, x: bx.Value, y: bx.Value) -> Outputs:
    def first(f: bx.F, x: bx.Value, *, k: int) -> bx.Value:
        return x[0, : x.shape[1] - k]

    def last(f: bx.F, x: bx.Value, *, k: int) -> bx.Value:
        return x[0, k:]

    return {
        name: f.cond(name, x.sum() > 0, first, last)(x, k=k)
        for name, k in (("a", 1), ("b", 2))
    }


@pytest.mark.parametrize(
    ("main", "sizes", "functions"),
    [
        (axis_by_number, (2, 5), 3),
        (dim_less_an_argument, (4, 3), 2),
        (dim_less_a_closure, (4, 3), 2),
        (dims_that_are_one, (10, 8), 2),
        (derived_dims_that_are_one, (5, 3), 2),
        (dims_of_other_ranks, (5, 3), 3),
        (dim_beside_an_argument_of_its_name, (10, 9), 2),
        (dims_in_branches, (4, 3), 5),
    ],
)
def test_dims(
    main: Callable[..., Any],
    sizes: tuple[int, int],
    functions: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    graph, _, found = run(main, TWO, monkeypatch, jnp.ones((2, 5)), jnp.ones((2, 3)))
    assert (len(found["a"]), len(found["b"])) == sizes
    assert len(graph.functions) == functions


def test_a_dim_that_cancels_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        n = x.shape[0]
        return f.linear("l", x, 4 * n // n + (n - n))

    graph, _, found = run(main, X, monkeypatch, ONES)
    assert found.shape == (3, 4)
    assert graph.plain()["functions"]["main"]["nodes"]["l"]["out_features"] == 4


@pytest.mark.parametrize("within", [False, True])
def test_an_axis_of_any_rank_has_no_size(within: bool) -> None:
    """It is one axis only while the model is traced: sizes of it would be wrong."""

    def rows(f: bx.F, x: bx.Value) -> bx.Value:
        return x.reshape(x.shape[0], -1)

    b = bx.GraphBuilder("m")
    with pytest.raises(bx.SpecError, match=r'found one of the axes of "\.\.\."'):

        @b.entry(x=bx.Input(["...", 4]))
        def main(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
            return {"y": f.call("rows", rows)(x) if within else rows(f, x)}


def test_a_function_takes_any_rank_where_it_needs_no_size_of_it() -> None:
    b = bx.GraphBuilder("m")

    def split(f: bx.F, x: bx.Value) -> bx.Value:
        return x.reshape(..., 2, 2)

    @b.entry(x=bx.Input(["...", 4]))
    def main(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
        return {"y": f.call("split", split)(x)}

    model = bx.build(b.graph())
    for lead in ((), (3,), (2, 0, 3)):
        y, _ = model({}, jnp.ones((*lead, 4)))
        assert y.shape == (*lead, 2, 2)


def test_a_dim_may_have_the_name_that_an_axis_gets() -> None:
    def rows(f: bx.F, x: bx.Value) -> bx.Value:
        return x.reshape(x.shape[0], -1)

    b = bx.GraphBuilder("m")

    @b.entry(x=bx.Input(["leading", 2, 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("rows", rows)(x)

    assert bx.build(b.graph())({}, jnp.ones((3, 2, 4)))[0].shape == (3, 8)
