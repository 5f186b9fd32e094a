"""`f.default` of inputs that some calls give, or none."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import blox as bx

X = jnp.arange(3.0)


def shifted(f: bx.F, x: bx.Value, by: bx.Value | None = None) -> bx.Value:
    return x + f.default(by, 2 * x)


def functions(graph: bx.Graph) -> dict[str, Any]:
    found: dict[str, Any] = graph.plain()["functions"]
    return found


def test_given_and_left_out_are_one_function() -> None:
    b = bx.GraphBuilder("model")

    @b.entry(x=bx.Input(["n"]), by=bx.Input(["n"]))
    def main(f: bx.F, x: bx.Value, by: bx.Value) -> bx.Value:
        x = f.call("first", shifted)(x)
        return f.call("second", shifted)(x, by)

    graph = b.graph()
    assert list(functions(graph)) == ["main", "shifted"]
    assert functions(graph)["shifted"]["inputs"]["by"]["optional"]
    found, _ = bx.build(graph)({}, X, -X)
    np.testing.assert_array_equal(found, 2 * X)


def test_an_entry_that_another_calls_is_that_entry() -> None:
    b = bx.GraphBuilder("model", width=3)
    optional = bx.Input(["n", b.width], optional=True)

    @b.entry(x=bx.Input(["n", b.width]), by=optional)
    def main(f: bx.F, x: bx.Value, by: bx.Value | None = None) -> bx.Value:
        return f.linear("head", x + f.default(by, 1.0), b.width)

    @b.entry(x=bx.Input(["n", b.width]))
    def other(f: bx.F, x: bx.Value) -> bx.Value:
        return f.relu(f.call("model", main, params=".")(x))

    graph = b.graph()
    assert list(functions(graph)) == ["main", "other"]
    assert list(graph.program().leaves()) == ["head.kernel", "head.bias"]


def test_what_no_call_gives_is_not_written() -> None:
    b = bx.GraphBuilder("model")

    @b.entry(x=bx.Input(["n"]))
    def main(f: bx.F, x: bx.Value) -> dict[str, bx.Value]:
        return {"y": f.call("only", shifted)(x), "z": f.default(None, x)}

    graph = b.graph()
    assert functions(graph)["shifted"]["nodes"].keys() == {"multiply_1", "add_1"}
    assert functions(graph)["main"]["outputs"] == {"y": "only", "z": "x"}
    found, _ = bx.build(graph)({}, X)
    np.testing.assert_array_equal(found["y"], 3 * X)


def test_a_number_is_no_output() -> None:
    b = bx.GraphBuilder("model")

    @b.entry(x=bx.Input(["n"]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.default(None, 1.0)

    with pytest.raises(bx.SpecError, match=r"main\.outputs\.out: expected a value"):
        b.graph()
