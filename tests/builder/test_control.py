"""Loops and branches: what they write, what their outputs are, what they compute."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx


def show(value: bx.Value) -> str:
    return f"[{', '.join(map(str, value.shape))}]"


def test_repeat_stacks_what_is_no_carry_and_takes_a_value_for_each_copy() -> None:
    def block(
        f: bx.F, x: bx.Value, i: bx.Value, gain: bx.Value, *, power: int
    ) -> dict[str, bx.Value]:
        y = f.linear("l", x, x.features) * gain
        y = y * power + i
        return {"x": y, "first": y[..., 0]}

    b = bx.GraphBuilder("loop", width=4)

    @b.entry(x=bx.Input(["batch", b.width]), gains=bx.Input([3]))
    def main(f: bx.F, x: bx.Value, gains: bx.Value) -> dict[str, bx.Value]:
        run = f.repeat("h", block, count=3, scan=False)
        out = run(x, bx.index(), bx.slices(gains), power=bx.each([2, 5]))
        assert show(out["x"]) == "[batch, 4]"
        assert show(out["first"]) == "[3, batch]"
        return out

    graph = b.graph()
    node = graph.plain()["functions"]["main"]["nodes"]["h"]
    assert node["attributes"] == {"power": [2, 5, 2]}
    assert node["carry"] == {"x": "x"}
    assert node["xs"] == {"gain": "gains"}
    assert node["index"] == "i"
    params = bx.init(graph, jax.random.key(0))
    x, gains = jnp.ones((2, 4)), jnp.array([1.0, 2.0, 3.0])
    outputs, _ = bx.build(graph)(params, x, gains)
    expected, firsts = np.asarray(x), []
    for i, power in enumerate((2, 5, 2)):
        kernel = np.asarray(params["h"][i]["l"]["kernel"])
        expected = expected @ kernel * (i + 1) * power + i
        firsts.append(expected[:, 0])
    np.testing.assert_allclose(outputs["x"], expected, rtol=1e-4)
    np.testing.assert_allclose(outputs["first"], firsts, rtol=1e-4)


def test_a_list_under_scan_is_a_slice_for_each_step() -> None:
    def block(f: bx.F, x: bx.Value, rate: bx.Value) -> bx.Value:
        return x + rate

    b = bx.GraphBuilder("rates", depth=4)

    @b.entry(x=bx.Input(["batch"]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        rates: Any = bx.each([0.5, 2.0])
        return f.repeat("h", block, count=4)(x, rates)

    node = b.graph().plain()["functions"]["main"]["nodes"]["h"]
    assert node["xs"] == {"rate": [0.5, 2.0, 0.5, 2.0]}
    found, _ = bx.build(b.graph())({}, jnp.zeros(2))
    np.testing.assert_array_equal(found, [5.0, 5.0])


def test_sizes_that_are_inferred_per_copy() -> None:
    def layer(f: bx.F, x: bx.Value, *, n: int) -> bx.Value:
        return f.linear("l", x, n)

    b = bx.GraphBuilder("widths", depth=3)

    @b.entry(x=bx.Input(["batch", 8]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        x = f.repeat("a", layer, count=4, scan=False)(x, n=bx.each([16, 4]))
        return f.repeat("b", layer, count=3, scan=False)(x, n=6)

    graph = b.graph()
    nodes = graph.plain()["functions"]["main"]["nodes"]
    assert nodes["a"]["attributes"] == {"n": [16, 4], "in_features": [8, 16, 4, 16]}
    assert nodes["b"]["attributes"] == {"n": 6, "in_features": [4, 6, 6]}

    def by_depth(f: bx.F, x: bx.Value) -> bx.Value:
        return f.repeat("b", layer, count=b.depth, scan=False)(x, n=6)

    def lists(f: bx.F, x: bx.Value) -> bx.Value:
        return f.repeat("b", layer, count=b.depth, scan=False)(x, n=bx.each([8, 8]))

    for function in (by_depth, lists):
        other = bx.GraphBuilder("m", depth=3)
        with pytest.raises(
            bx.SpecError, match=r"number of copies .* found an expression"
        ):
            _ = other.entry(function, x=bx.Input(["batch", 8])), other.graph()


def test_scan_shares_parameters_over_an_axis() -> None:
    def cell(f: bx.F, h: bx.Value, x: bx.Value) -> dict[str, bx.Value]:
        h = f.tanh(f.linear("w", x, h.features) + h)
        return {"h": h, "y": h}

    b = bx.GraphBuilder("rnn", width=3)

    @b.entry(x=bx.Input(["batch", "time", 2]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        start = f.zeros([x.shape[0], b.width])
        out = f.scan("cells", cell, axis=1)(start, bx.slices(x))
        assert show(out["h"]) == "[batch, 3]"
        assert show(out["y"]) == "[batch, time, 3]"
        return out["y"]

    graph = b.graph()
    params = bx.init(graph, jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (2, 5, 2))
    h, expected = np.zeros((2, 3)), []
    for t in range(5):
        h = np.tanh(np.asarray(x[:, t] @ params["cells"]["w"]["kernel"]) + h)
        expected.append(h)
    found, _ = bx.build(graph)(params, x)
    np.testing.assert_allclose(found, np.stack(expected, 1), rtol=1e-5)


def test_loops_start_from_numbers() -> None:
    def small(f: bx.F, x: bx.Value, n: bx.Value) -> bx.Value:
        return x.max() < 100.0

    def grow(f: bx.F, x: bx.Value, n: bx.Value) -> dict[str, bx.Value]:
        return {"x": x * 3.0, "n": n + 1}

    def fibonacci(f: bx.F, a: bx.Value, c: bx.Value) -> dict[str, bx.Value]:
        return {"a": c, "c": a + c}

    def total(f: bx.F, sofar: bx.Value, x: bx.Value) -> bx.Value:
        return sofar + x

    b = bx.GraphBuilder("numbers")
    start: Any = 0
    first: Any = 1
    zero: Any = 0.0

    @b.entry(x=bx.Input(["n"]))
    def main(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
        out = f.while_loop("loop", small, grow, max_steps=9)(x, start)
        pair = f.scan("pair", fibonacci, length=5)(start, first)
        last = f.scan("sum", total)(zero, bx.slices(x))
        return {"x": out["x"], "n": out["n"], "a": pair["a"], "last": last}

    graph = b.graph()
    nodes = graph.plain()["functions"]["main"]["nodes"]
    assert nodes["loop"]["carry"] == {"x": "x", "n": 0}
    assert nodes["pair"]["carry"] == {"a": 0, "c": 1}
    assert nodes["sum"]["carry"] == {"sofar": 0.0}
    found, _ = bx.build(graph)({}, jnp.array([1.0, 0.5]))
    np.testing.assert_array_equal(found["x"], [243.0, 121.5])
    assert [float(found[n]) for n in ("n", "a", "last")] == [5.0, 5.0, 1.5]


def test_map_gives_every_lane_its_own_parameters() -> None:
    def expert(f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("w", x, 2, use_bias=False)

    b = bx.GraphBuilder("experts", experts=3)

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        y = f.map("moe", expert, count=b.experts)(x)
        assert show(y) == "[3, batch, 2]"
        return y

    graph = b.graph()
    params = bx.init(graph, jax.random.key(0))
    x = jnp.arange(8.0).reshape(2, 4)
    expected = np.einsum("bi,eio->ebo", x, params["moe"]["w"]["kernel"])
    np.testing.assert_allclose(bx.build(graph)(params, x)[0], expected, rtol=1e-5)


def test_switch() -> None:
    def dense(f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("w", x, 3, use_bias=False)

    def wide(f: bx.F, x: bx.Value) -> bx.Value:
        return f.linear("w", x, 4)

    def main(f: bx.F, x: bx.Value, i: bx.Value) -> bx.Value:
        y = f.switch("pick", i, [dense, dense])(x)
        assert show(y) == "[batch, 3]"
        return y

    def other(f: bx.F, x: bx.Value, i: bx.Value) -> bx.Value:
        return f.switch("pick", i, [dense, wide])(x)

    def none(f: bx.F, x: bx.Value, i: bx.Value) -> bx.Value:
        empty: list[Any] = []
        found: bx.Value = f.switch("pick", i, empty)(x)
        return found

    inputs = {"x": bx.Input(["batch", 2]), "i": bx.Input([], "int32")}
    b = bx.GraphBuilder("picks")
    b.entry(**inputs)(main)
    graph = b.graph()
    assert graph.plain()["functions"]["main"]["nodes"]["pick"] == {
        "op": "switch", "index": "i", "branches": ["dense", "dense"],
        "inputs": {"x": "x"},
    }  # fmt: skip
    params, x = bx.init(graph, jax.random.key(0)), jnp.arange(4.0).reshape(2, 2)
    for i in range(2):
        expected = x @ params["pick"][f"branch_{i}"]["w"]["kernel"]
        found, _ = bx.build(graph)(params, x, jnp.int32(i))
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    for function, text in (
        (other, "other.pick: expected all branches to give the same out, found"),
        (none, "none.pick.branches: expected a list of functions, found none"),
    ):
        with pytest.raises((bx.SpecError, bx.ModelError), match=text):
            bx.GraphBuilder("picks").entry(**inputs)(function)


def test_cond() -> None:
    def double(f: bx.F, x: bx.Value) -> bx.Value:
        return x * 2.0

    def keep(f: bx.F, x: bx.Value) -> bx.Value:
        return x + 0.0

    b = bx.GraphBuilder("control")

    @b.entry(x=bx.Input(["n"]), flag=bx.Input([], "bool"))
    def main(f: bx.F, x: bx.Value, flag: bx.Value) -> bx.Value:
        y = f.cond("choice", flag, double, keep)(x)
        assert show(y) == "[n]"
        return y

    graph = b.graph()
    assert graph.plain()["functions"]["main"]["nodes"]["choice"] == {
        "op": "cond", "predicate": "flag", "then": "double", "else": "keep",
        "inputs": {"x": "x"},
    }  # fmt: skip
    for flag, times in ((True, 2.0), (False, 1.0)):
        found, _ = bx.build(graph)({}, jnp.array([1.0, 0.5]), jnp.array(flag))
        np.testing.assert_array_equal(found, np.array([1.0, 0.5]) * times)


def test_state_and_remat_go_through() -> None:
    def block(f: bx.F, x: bx.Value) -> bx.Value:
        return f.batch_norm("norm", f.linear("l", x, x.features))

    b = bx.GraphBuilder("normed")

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        x = f.call("one", block, remat="nothing_saveable")(x)
        return f.repeat("many", block, count=2, remat="dots_saveable")(x)

    graph = b.graph()
    params = bx.init(graph, jax.random.key(0))
    _, state = bx.build(graph, train=True)(params, jnp.ones((3, 4)))
    assert state["many"]["norm"]["mean"].shape == (2, 4)
    assert set(state) == {"one", "many"}


@pytest.mark.parametrize(
    ("times", "functions"),
    [
        ((2.0, 2.0), ["main", "scaled", "keep"]),
        ((2.0, 3.0), ["main", "scaled", "scaled_2", "keep"]),
    ],
)
def test_a_branch_is_the_function_of_a_call_with_its_numbers(
    times: tuple[float, float], functions: list[str]
) -> None:
    called, chosen = times

    def scaled(f: bx.F, x: bx.Value, *, by: float = chosen) -> bx.Value:
        return f.linear("l", x, 4) * by

    def keep(f: bx.F, x: bx.Value) -> bx.Value:
        return x

    b = bx.GraphBuilder("m")

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        x = f.call("once", scaled)(x, by=called)
        return f.cond("choice", f.sum(x) > 0, scaled, keep)(x)

    graph = b.graph()
    assert list(graph.functions) == functions
    params = bx.init(graph, jax.random.key(0))
    x = jnp.ones((2, 4))
    once = x @ params["once"]["l"]["kernel"] * called
    wanted = once @ params["choice"]["then"]["l"]["kernel"] * chosen
    wanted = wanted if once.sum() > 0 else once
    np.testing.assert_allclose(bx.build(graph)(params, x)[0], wanted, 1e-5, 1e-6)


def test_a_branch_that_is_the_body_of_a_loop_too_is_two_functions() -> None:
    """What it gives is the next carry there, and goes by another name here."""

    def halved(f: bx.F, x: bx.Value) -> bx.Value:
        return x * 0.5

    def keep(f: bx.F, x: bx.Value) -> bx.Value:
        return x

    def large(f: bx.F, x: bx.Value) -> bx.Value:
        return f.sum(x) > 3

    b = bx.GraphBuilder("m")

    @b.entry(x=bx.Input([4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        x = f.while_loop("loop", large, halved)(x)
        return f.cond("choice", f.sum(x) > 2, halved, keep)(x)

    model = bx.build(b.graph())
    for start, end in ((4.0, 0.5), (1.25, 0.3125), (0.25, 0.25)):
        np.testing.assert_array_equal(model({}, jnp.full(4, start))[0], end)
