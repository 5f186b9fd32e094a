"""Entries that are called, or that share functions with others."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from builder.sharing import TWO, Outputs, X, axis_by_number

import blox as bx


def test_functions_that_call_an_entry_with_other_numbers_are_two() -> None:
    b = bx.GraphBuilder("m")

    @b.entry(x=bx.Input(["batch", 4]))
    def step(f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("l", x, x.features)

    def wrap(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("s", step)(x)

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> Outputs:
        wide = f.concatenate([x, x], axis=-1)
        return {"a": f.call("a", wrap)(x), "b": f.call("b", wrap)(wide)}

    graph = b.graph(entries=["main", "step"])
    assert list(graph.functions) == ["main", "wrap", "step", "wrap_2", "step_2"]
    assert graph.program().leaves()["b.s.l.kernel"].full_shape == (8, 8)


def test_an_entry_called_with_what_it_does_not_declare_is_another_function() -> None:
    b = bx.GraphBuilder("m")

    @b.entry(x=bx.Input(["batch", 4]))
    def step(f: bx.F, x: bx.Value) -> bx.Value:
        return f.exp(x)

    @b.entry(x=bx.Input(["batch", 4]), k=bx.Input(["batch", 4], "int32"))
    def main(f: bx.F, x: bx.Value, k: bx.Value) -> Outputs:
        wide = f.concatenate([x, x], axis=-1)
        given = {"same": x, "wide": wide, "deep": x[None], "integer": k}
        return {name: f.call(name, step)(value) for name, value in given.items()}

    graph = b.graph()
    nodes = graph.plain()["functions"]["main"]["nodes"]
    called = {
        name: nodes[name]["function"] for name in nodes if "function" in nodes[name]
    }
    others = dict.fromkeys(("wide", "deep", "integer"), "step_2")
    assert called == {"same": "step", **others}
    x = jnp.ones((2, 4))
    found = bx.build(graph, "main")({}, x, x.astype("int32"))[0]
    np.testing.assert_array_equal(found["deep"], jnp.exp(x)[None])


def test_an_entry_with_dims_that_a_call_makes_one() -> None:
    b = bx.GraphBuilder("m")

    @b.entry(x=bx.Input(["batch", "seq"]), y=bx.Input(["batch", "past"]))
    def step(f: bx.F, x: bx.Value, y: bx.Value) -> bx.Value:
        return f.ones([y.shape[0], y.shape[1]])

    @b.entry(x=bx.Input(["n", "m"]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("a", step)(x, x)

    graph = b.graph()
    assert list(graph.functions) == ["step", "main"]
    assert bx.build(graph, "main")({}, jnp.ones((2, 3)))[0].shape == (2, 3)


@pytest.mark.parametrize("heads", [2, 4])
def test_functions_do_not_depend_on_whether_sizes_are_equal(heads: int) -> None:
    """Where heads and the size of each are both 4, a dim is still that of its input."""
    b = bx.GraphBuilder("m", heads=heads)
    b.constraint("seq <= cached")
    cache = bx.Input(["batch", "cached", b.heads, 4])

    @b.entry(x=bx.Input(["batch", "seq", b.heads, 4]), y=cache)
    def main(f: bx.F, x: bx.Value, y: bx.Value) -> Outputs:
        def row(f: bx.F, x: bx.Value, y: bx.Value) -> bx.Value:
            return f.zeros([f.dynamic_update_slice(y, x, [0], [1]).shape[1]])

        return {"a": f.call("a", row)(x, x), "b": f.call("b", row)(x, y)}

    graph = b.graph()
    assert list(graph.functions) == ["main", "row"]
    x, y = jnp.ones((1, 3, heads, 4)), jnp.ones((1, 5, heads, 4))
    found = bx.build(graph)({}, x, y)[0]
    assert (found["a"].shape, found["b"].shape) == ((3,), (5,))


def test_more_entries_behind_a_graph() -> None:
    """Writing a Graph leaves the builder as it was."""

    def masked(f: bx.F, x: bx.Value, m: bx.Value | None = None) -> bx.Value:
        return f.relu(f.default(m, x))

    def first(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("a", masked)(x)

    def second(f: bx.F, x: bx.Value, m: bx.Value) -> bx.Value:
        return f.call("a", masked)(x, m)

    b, direct = bx.GraphBuilder("m"), bx.GraphBuilder("m")
    b.entry(first, **X)
    assert b.graph() == b.graph()
    for builder, entries in ((b, (second,)), (direct, (first, second))):
        for entry in entries:
            builder.entry(entry, **(X if entry is first else X | {"m": X["x"]}))
    assert b.graph() == direct.graph()
    assert list(b.graph().functions) == ["first", "masked", "second"]


def test_errors_of_the_user_pass_as_they_are() -> None:
    error = TypeError("mine")

    def inner(f: bx.F, x: bx.Value) -> bx.Value:
        raise error

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.call("c", inner)(x)

    b = bx.GraphBuilder("m")
    with pytest.raises(TypeError) as found:
        b.entry(main, **X)
    assert found.value is error
    b.entry(axis_by_number, **TWO)
    assert list(b.graph().entries) == ["axis_by_number"]


def test_an_entry_without_inputs() -> None:
    b = bx.GraphBuilder("table")

    @b.entry
    def main(f: bx.F) -> bx.Value:
        return f.arange(3)

    assert list(bx.build(b.graph())({})[0]) == [0, 1, 2]
