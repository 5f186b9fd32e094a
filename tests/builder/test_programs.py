"""Programs that are hard on sharing functions: what Python would have done, all the same.

Each is built as it is, and with a function of its own for every call; both give the same.
"""

from __future__ import annotations

import copy
import dataclasses
import enum
from collections.abc import Callable
from typing import Any, NamedTuple

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


# Dims ---------------------------------------------------------------------------------


def axis_by_number(f: bx.F, x: bx.Value, y: bx.Value) -> Outputs:
    def row(f: bx.F, x: bx.Value, *, axis: int) -> bx.Value:
        return f.zeros([x.shape[axis]])

    return {"a": f.call("a", row)(x, axis=0), "b": f.call("b", row)(x, axis=1)}


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


# Names --------------------------------------------------------------------------------


def test_an_argument_named_as_an_inferred_size(monkeypatch: pytest.MonkeyPatch) -> None:
    def layer(f: bx.F, x: bx.Value, *, in_features: int) -> bx.Value:
        return f.linear("l", x, in_features)

    def main(f: bx.F, x: bx.Value) -> Outputs:
        wide = f.concatenate([x, x], axis=-1)
        a = f.call("a", layer)(x, in_features=4)
        return {"a": a, "b": f.call("b", layer)(wide, in_features=5)}

    graph, params, _ = run(main, X, monkeypatch, ONES)
    assert params["a"]["l"]["kernel"].shape == (8, 4)
    assert params["b"]["l"]["kernel"].shape == (16, 5)
    assert list(graph.functions) == ["main", "layer"]


def test_parts_of_arguments_have_names_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def mixed(
        f: bx.F, xs: list[bx.Value], xs_0: bx.Value, m: dict[Any, bx.Value]
    ) -> bx.Value:
        return xs[0] + 2 * xs_0 + 3 * m["a b"] + 5 * m["a_b"] + 7 * m[0] + 11 * m["0"]

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        more: dict[Any, bx.Value] = {"a b": x * 1e2, "a_b": x * 1e3}
        more |= {0: x * 1e4, "0": x * 1e5}
        return f.call("c", mixed)([x], x * 10, more)

    _, _, found = run(main, X, monkeypatch, ONES)
    expected = 1 + 20 + 3e2 + 5e3 + 7e4 + 11e5
    np.testing.assert_allclose(found, np.full((3, 8), expected), rtol=1e-6)


def test_arguments_whose_names_no_attribute_can_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def odd(f: bx.F, x: bx.Value, *, max: int, o: dict[Any, float]) -> bx.Value:
        return f.linear("l", x, max) * o["a b"] + o[0]

    odd.__name__ = "params"

    def main(f: bx.F, x: bx.Value) -> Outputs:
        a = f.call("a", odd)(x, max=3, o={"a b": 2.5, 0: 1})
        return {"a": a, "b": f.call("b", odd)(x, max=4, o={"a b": 3, 0: 5})}

    graph, _, _ = run(main, X, monkeypatch, ONES)
    assert list(graph.functions) == ["main", "params_2"]
    assert graph.functions["params_2"].attributes == ["max_2", "o_a_b", "o_0"]


def test_names_of_64_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    long = "n" * 64
    scope: dict[str, Any] = {}
    code = f"def {long}(f, x, *, {'k' * 64}): return f.linear('l', x, {'k' * 64}[0])"
    exec(code, scope)

    def other(f: bx.F, x: bx.Value) -> bx.Value:
        return f.relu(x)

    other.__name__ = long

    def main(f: bx.F, x: bx.Value) -> Outputs:
        a = f.call("a", scope[long])(x, **{"k" * 64: [3]})
        b = f.call("b", scope[long])(x, **{"k" * 64: [4]})
        return {"a": a, "b": b, "c": f.call("c", other)(x)}

    graph, _, _ = run(main, X, monkeypatch, ONES)
    assert len(graph.functions) == 3


def test_a_number_of_the_caller_beside_an_argument_of_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def outer(f: bx.F, x: bx.Value, *, n: int) -> bx.Value:
        def inner(f: bx.F, x: bx.Value, *, m: int, n: int = 5) -> bx.Value:
            return f.linear("l", x, n + m)

        def middle(f: bx.F, x: bx.Value) -> bx.Value:
            return f.call("i", inner)(x, m=n)

        return f.call("a", middle)(x) + f.call("b", inner)(x, m=5, n=n)

    def main(f: bx.F, x: bx.Value) -> Outputs:
        return {name: f.call(name, outer)(x, n=n) for name, n in (("c", 3), ("d", 4))}

    _, params, _ = run(main, X, monkeypatch, ONES)
    assert params["d"]["b"]["l"]["kernel"].shape == (8, 9)


def test_a_number_of_the_caller_in_a_list_with_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def inner(f: bx.F, parts: list[Any]) -> bx.Value:
        return f.linear("l", parts[0], parts[1])

    def outer(f: bx.F, x: bx.Value, *, n: int) -> bx.Value:
        def middle(f: bx.F, x: bx.Value) -> bx.Value:
            return f.call("i", inner)([x, n])

        return f.call("m", middle)(x)

    def main(f: bx.F, x: bx.Value) -> Outputs:
        return {name: f.call(name, outer)(x, n=n) for name, n in (("c", 3), ("d", 4))}

    graph, _, found = run(main, X, monkeypatch, ONES)
    assert found["d"].shape == (3, 4)
    assert list(graph.functions) == ["main", "outer", "middle", "inner"]


# Kinds of arguments -------------------------------------------------------------------


class Size(enum.IntEnum):
    SMALL = 3
    LARGE = 4


class Config(NamedTuple):
    n: int
    act: str = "relu"


@dataclasses.dataclass
class Layer:
    n: int

    def block(self, f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("l", x, self.n)


def test_arguments_are_what_they_are_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def block(
        f: bx.F,
        x: bx.Value,
        size: Size,
        config: Config,
        pair: tuple[int, ...],
        table: Any,
    ) -> bx.Value:
        seen.append((size.name, config.act, type(pair), type(table)))
        x = f.linear("l", x, size) * pair[0] + f.constant(table)[:size]
        return f.linear("m", x, config.n)

    def main(f: bx.F, x: bx.Value) -> Outputs:
        table = np.arange(4.0)
        a = f.call("a", block)(x, Size.SMALL, Config(5), (1, 2), table)
        return {"a": a, "b": f.call("b", block)(x, Size.LARGE, Config(6), (2,), table)}

    _, params, _ = run(main, X, monkeypatch, ONES)
    assert seen[:2] == [
        ("SMALL", "relu", tuple, np.ndarray),
        ("LARGE", "relu", tuple, np.ndarray),
    ]
    assert params["b"]["l"]["kernel"].shape == (8, 4)
    assert params["b"]["m"]["kernel"].shape == (4, 6)


def test_values_in_tuples_with_names(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pair(NamedTuple):
        x: bx.Value
        n: int

    def scaled(f: bx.F, pair: Pair, parts: Any) -> bx.Value:
        y: bx.Value = pair.x * pair.n + parts.left
        return y

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        parts = f.split(x, axis=0, names=["left"])
        return f.call("c", scaled)(Pair(x, 3), parts)

    _, _, found = run(main, X, monkeypatch, ONES)
    np.testing.assert_array_equal(found, 4 * ONES)


def test_methods_and_numbers_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    def scaled(f: bx.F, x: bx.Value, *, by: Any) -> bx.Value:
        y: bx.Value = x * by
        return y

    def main(f: bx.F, x: bx.Value) -> Outputs:
        a = f.call("a", Layer(3).block)(x) + f.call("b", Layer(3).block)(x)
        b = f.call("c", Layer(4).block)(x)
        c = f.call("d", scaled)(x, by=np.float32(0.5))
        return {"a": a, "b": b, "c": c, "d": f.call("e", scaled)(x, by=np.int8(2))}

    graph, _, found = run(main, X, monkeypatch, ONES)
    np.testing.assert_array_equal(found["c"] * 4, found["d"])
    assert list(graph.functions) == ["main", "block", "scaled"]


def test_integers_stay_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    def scaled(f: bx.F, x: bx.Value, *, by: float) -> bx.Value:
        return x * by if by is not True else -x

    def main(f: bx.F, x: bx.Value) -> Outputs:
        by = {"a": 2, "b": 2.0, "c": True, "d": 1}
        return {name: f.call(name, scaled)(x, by=n) for name, n in by.items()}

    x = jnp.arange(3)
    _, _, found = run(main, {"x": bx.Input(["n"], "int32")}, monkeypatch, x)
    expected = {"a": x * 2, "b": x * 2.0, "c": -x, "d": x * 1}
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


def test_copies_of_values_are_values(monkeypatch: pytest.MonkeyPatch) -> None:
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        kept = copy.deepcopy({"a": [x, copy.copy(x)]})
        return kept["a"][0] + kept["a"][1]

    _, _, found = run(main, X, monkeypatch, ONES)
    np.testing.assert_array_equal(found, 2 * ONES)


def test_a_list_may_be_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(f: bx.F, x: bx.Value) -> list[bx.Value]:
        return [x, x, f.relu(x)]

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        a, b, c = f.call("c", both)(x)
        return a + b + c

    _, _, found = run(main, X, monkeypatch, ONES)
    np.testing.assert_array_equal(found, 3 * ONES)


def test_one_function_called_looped_and_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    def step(f: bx.F, x: bx.Value) -> bx.Value:
        return x * 2

    def main(f: bx.F, x: bx.Value) -> Outputs:
        return {
            "call": f.call("c", step)(x),
            "repeat": f.repeat("r", step, count=3)(x),
            "scan": f.scan("s", step)(bx.slices(x)),
            "map": f.map("m", step)(bx.slices(x)),
        }

    graph, _, found = run(main, X, monkeypatch, ONES)
    assert list(graph.functions) == ["main", "step"]
    factors = {"call": 2, "repeat": 8, "scan": 2, "map": 2}
    for name, factor in factors.items():
        np.testing.assert_array_equal(found[name], factor * ONES)


def test_sizes_from_copy_to_copy_keep_their_expression() -> None:
    def block(f: bx.F, x: bx.Value, *, n: int) -> bx.Value:
        return f.linear("l", x, n)

    def make(width: int = 4) -> Graph:
        b = bx.GraphBuilder("m", width=width)

        @b.entry(x=bx.Input(["batch", 3]))
        def main(f: bx.F, x: bx.Value) -> bx.Value:
            sizes = bx.each([b.width, 2 * b.width])
            return f.repeat("r", block, count=4, scan=False)(x, n=sizes)

        return b.graph()

    node = make().plain()["functions"]["main"]["nodes"]["r"]
    assert node["attributes"] == {
        "n": ["$width", "$2 * width"],
        "in_features": [3, "$width", "$2 * width", "$width"],
    }
    bx.check_attributes(make, width=5)


# Entries ------------------------------------------------------------------------------


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
