"""Loops and branches: what they write, what their outputs are, what they compute."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx
from blox.builder.values import show


def test_repeat_stacks_what_is_no_carry_and_cycles_attributes() -> None:
    def block(
        f: bx.FunctionBuilder, x: bx.Value, i: bx.Value, gain: bx.Value, *, power: str
    ) -> dict[str, bx.Value]:
        y = f.multiply("y", f.linear("l", x, out_features="$width"), gain)
        y = f.add("shifted", f.multiply("scaled", y, power), i)
        return {"x": y, "first": f.index("first", y, at="..., 0")}

    b = bx.GraphBuilder("loop", width=4, depth=3)

    @b.entry(x=bx.Input(["batch", "$width"]))
    def main(f: bx.FunctionBuilder, x: bx.Value) -> dict[str, bx.Value]:
        out = f.repeat(
            "h", block, count="$depth", carry={"x": x}, xs={"gain": [1.0, 2.0, 3.0]},
            index="i", attributes={"power": [2, 5]}, scan=False,
        )  # fmt: skip
        assert show(out["x"].shape) == "[batch, 4]"
        assert show(out["first"].shape) == "[3, batch]"
        assert out["x"].features == "$width"
        return out

    graph = b.graph()
    params = bx.init(graph, jax.random.key(0))
    x = jnp.ones((2, 4))
    outputs, _ = bx.build(graph)(params, x)
    expected, firsts = np.asarray(x), []
    for i, (gain, power) in enumerate(zip((1, 2, 3), (2, 5, 2), strict=True)):
        kernel = np.asarray(params["h"][i]["l"]["kernel"])
        expected = expected @ kernel * gain * power + i
        firsts.append(expected[:, 0])
    np.testing.assert_allclose(outputs["x"], expected, rtol=1e-4)
    np.testing.assert_allclose(outputs["first"], firsts, rtol=1e-4)


def test_scan_shares_parameters_over_an_axis() -> None:
    def cell(f: bx.FunctionBuilder, h: bx.Value, x: bx.Value) -> dict[str, bx.Value]:
        z = f.add("z", f.linear("w", x, out_features="$width"), h)
        h = f.tanh("next", z)
        return {"h": h, "y": h}

    b = bx.GraphBuilder("rnn", width=3)

    @b.entry(x=bx.Input(["batch", "time", 2]))
    def main(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        start = f.zeros("start", shape=["$batch", "$width"], dtype="float")
        out = f.scan("cells", cell, carry={"h": start}, xs={"x": x}, axis=1)
        assert show(out["h"].shape) == "[batch, 3]"
        assert show(out["y"].shape) == "[batch, time, 3]"
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


def test_map_gives_every_lane_its_own_parameters() -> None:
    def expert(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        return f.linear("w", x, out_features=2, use_bias=False)

    b = bx.GraphBuilder("experts", experts=3)

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        y = f.map("moe", expert, inputs={"x": x}, count="$experts")
        assert show(y.shape) == "[3, batch, 2]"
        return y

    graph = b.graph()
    params = bx.init(graph, jax.random.key(0))
    x = jnp.arange(8.0).reshape(2, 4)
    expected = np.einsum("bi,eio->ebo", x, params["moe"]["w"]["kernel"])
    np.testing.assert_allclose(bx.build(graph)(params, x)[0], expected, rtol=1e-5)


def test_switch() -> None:
    def dense(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        return f.linear("w", x, out_features=3, use_bias=False)

    def wide(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        return f.linear("w", x, out_features=4)

    def main(f: bx.FunctionBuilder, x: bx.Value, i: bx.Value) -> bx.Value:
        y = f.switch("pick", i, [dense, dense], {"x": x})
        assert show(y.shape) == "[batch, 3]"
        return y

    def other(f: bx.FunctionBuilder, x: bx.Value, i: bx.Value) -> bx.Value:
        return f.switch("pick", i, [dense, wide], {"x": x})

    def none(f: bx.FunctionBuilder, x: bx.Value, i: bx.Value) -> bx.Value:
        return f.switch("pick", i, [], {"x": x})

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


def test_cond_and_while_loop() -> None:
    def double(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        return f.multiply("y", x, 2.0)

    def keep(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        return f.add("y", x, 0.0)

    def small(f: bx.FunctionBuilder, x: bx.Value, n: bx.Value) -> bx.Value:
        return f.less("test", f.max("most", x), 100.0)

    def grow(f: bx.FunctionBuilder, x: bx.Value, n: bx.Value) -> dict[str, bx.Value]:
        return {"x": f.multiply("y", x, 3.0), "n": f.add("m", n, 1)}

    b = bx.GraphBuilder("control")

    @b.entry(x=bx.Input(["n"]), flag=bx.Input([], "bool"))
    def main(f: bx.FunctionBuilder, x: bx.Value, flag: bx.Value) -> dict[str, Any]:
        y = f.cond("choice", flag, double, keep, {"x": x})
        assert show(y.shape) == "[n]"
        return f.while_loop("loop", small, grow, carry={"x": y, "n": 0}, max_steps=9)

    graph = b.graph()
    nodes = graph.plain()["functions"]["main"]["nodes"]
    assert nodes["choice"] == {
        "op": "cond", "predicate": "flag", "then": "double", "else": "keep",
        "inputs": {"x": "x"},
    }  # fmt: skip
    assert nodes["loop"]["carry"] == {"x": "choice", "n": 0}
    for flag, start in ((True, 2.0), (False, 1.0)):
        out, _ = bx.build(graph)({}, jnp.array([1.0, 0.5]), jnp.array(flag))
        steps = 0
        while start < 100:
            start, steps = start * 3, steps + 1
        assert (float(out["x"][0]), int(out["n"])) == (start, steps)
