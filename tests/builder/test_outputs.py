"""What an entry says of its outputs stands in the Graph, and is checked."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

import blox as bx


def entry(function: Any) -> bx.Graph:
    b = bx.GraphBuilder("m", width=4)
    inputs = {"x": bx.Input(["batch", b.width]), "k": bx.Input(["batch", b.width])}
    b.entry(function, **inputs)
    return b.graph()


class Step(NamedTuple):
    y: bx.Value
    k: bx.Value


def test_an_output_with_all_that_is_said_of_it() -> None:
    b = bx.GraphBuilder("m", width=4)

    @b.entry(x=bx.Input(["batch", b.width]), k=bx.Input(["batch", b.width]))
    def step(f: bx.F, x: bx.Value, k: bx.Value) -> Step:
        y = f.linear("l", x, 2 * b.width)
        shape = ["batch", 2 * b.width]
        return Step(
            bx.output(y, shape=shape, dtype="float", doc="scores"),
            bx.output(k + x, next="k"),
        )

    @b.entry(x=bx.Input(["batch", b.width]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        out = f.call("model", step, params=".")(x, f.zeros(x.shape))
        assert isinstance(out, Step)
        return bx.output(out.y * 2, doc="twice")

    functions = b.graph().plain()["functions"]
    assert functions["step"]["outputs"] == {
        "y": {
            "value": "l",
            "shape": ["batch", "$2 * width"],
            "dtype": "float",
            "doc": "scores",
        },
        "k": {"value": "add_1", "next": "k"},
    }
    assert functions["main"]["outputs"] == {
        "out": {"value": "multiply_1", "doc": "twice"}
    }


def test_a_promise_that_does_not_hold() -> None:
    def main(f: bx.F, x: bx.Value, k: bx.Value) -> dict[str, bx.Value]:
        return {"y": bx.output(f.linear("l", x, 3), shape=["batch", 4])}

    with pytest.raises(
        bx.ModelError, match=r"main\.outputs\.y\.shape: expected .*4.*3"
    ):
        entry(main)


def test_the_next_value_of_no_input() -> None:
    def main(f: bx.F, x: bx.Value, k: bx.Value) -> dict[str, bx.Value]:
        return {"k": bx.output(x, next="cache")}

    with pytest.raises(bx.SpecError, match=r"main\.outputs\.k\.next: expected"):
        entry(main)


def test_what_a_called_function_says_is_left_out() -> None:
    def inner(f: bx.F, x: bx.Value) -> bx.Value:
        return bx.output(f.relu(x), doc="positive")

    def main(f: bx.F, x: bx.Value, k: bx.Value) -> bx.Value:
        return f.call("c", inner)(x) + k

    assert entry(main).plain()["functions"]["inner"]["outputs"] == {"out": "relu_1"}
