"""What the builder knows of shapes, with dims that only a call decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import blox as bx
from blox.builder.values import show

Function = Callable[..., bx.Value]
Act = Callable[[bx.FunctionBuilder, bx.Value], bx.Value]


def result(act: Act, shape: list[int | str]) -> bx.Value:
    b = bx.GraphBuilder("model", width=8, heads=2)
    b.dim("even", multiple_of=2, max=64)
    b.dim("long", min=32)
    b.constraint("cached >= seq")
    found: list[bx.Value] = []

    def main(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        found.append(act(f, x))
        return found[0]

    b.entry(main, x=bx.Input(shape))
    return found[0]


X: list[int | str] = ["batch", "$width"]


@pytest.mark.parametrize(
    ("act", "shape", "text", "features"),
    [
        (lambda f, x: f.softmax("y", x), X, "[batch, 8]", "$width"),
        (lambda f, x: f.layer_norm("y", x), X, "[batch, 8]", "$width"),
        (lambda f, x: f.add("y", x, f.relu("r", x)), X, "[batch, 8]", "$width"),
        (lambda f, x: f.roll("y", x, shift=1, axis=0), X, "[batch, 8]", "$width"),
        (
            lambda f, x: f.reshape("y", x, shape=["...", "$heads", "$width // heads"]),
            X,
            "[batch, 2, 4]",
            "$width // heads",
        ),
        (lambda f, x: f.index("y", x, at="0"), X, "[8]", "$width"),
        (lambda f, x: f.index("y", x, at="..., ::2"), X, "[batch, 4]", 4),
        # Of the size 8 by chance: not what $width says.
        (
            lambda f, x: f.reshape("y", f.zeros("z", shape=[4, 4], dtype="float"),
                                   shape=[2, 8]),
            X, "[2, 8]", 8,
        ),
        (
            lambda f, x: f.conv("y", x, out_features="$2 * width", kernel_size=[3]),
            ["batch", "time", "$width"],
            "[batch, time, 16]",
            "$2 * width",
        ),
        (lambda f, x: f.mean("y", x, axis=-1), ["n", "seq", 4], "[n, seq]", None),
        (lambda f, x: f.transpose("y", x, permutation=[1, 0]), X, "[8, batch]", None),
        # Decided by multiple_of, by min, by JAX's own arithmetic.
        (
            lambda f, x: f.split("p", x, names=["a", "b"], axis=0).a,
            ["even", 3],
            "[even_2th, 3]",
            3,
        ),
        (
            lambda f, x: f.dynamic_slice("y", x, [0], size=[20], axis=[0]),
            ["long", 3],
            "[20, 3]",
            3,
        ),
        (lambda f, x: f.reshape("y", x, shape=[-1, 4]), X, "[2*batch, 4]", 4),
        (lambda f, x: f.linear("y", x, out_features=2), ["...", 4], "[leading, 2]", 2),
    ],
)  # fmt: skip
def test_shape_and_how_the_last_size_is_written(
    act: Act, shape: list[int | str], text: str, features: Any
) -> None:
    value = result(act, shape)
    assert show(value.shape) == text
    if features is None:
        with pytest.raises(bx.SpecError, match="expected a last axis of known size"):
            _ = value.features
    else:
        assert value.features == features


def test_dims_of_a_block_are_bound_by_a_declared_shape() -> None:
    def block(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        f.declare(x, ["b", "t", "$width"])
        positions = f.arange("positions", stop="$t")
        assert show(positions.shape) == "[seq]"
        return f.add("y", x, f.expand_dims("column", positions, axis=-1))

    b = bx.GraphBuilder("model", width=8)

    @b.entry(x=bx.Input(["batch", "seq", "$width"]))
    def main(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        return f.call("block", block, x)

    inputs = b.graph().plain()["functions"]["block"]["inputs"]
    assert inputs == {"x": {"shape": ["b", "t", "$width"]}}


def test_a_chain_of_calls_that_doubles_is_traced_once() -> None:
    calls = 0

    def level(below: Function | None, name: str) -> Function:
        def function(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
            nonlocal calls
            calls += 1
            if below is None:
                return f.relu("r", x)
            return f.call("b", below, f.call("a", below, x))

        function.__name__ = name
        return function

    function = level(None, "level_0")
    for i in range(1, 12):
        function = level(function, f"level_{i}")
    b = bx.GraphBuilder("model")
    b.entry(function, x=bx.Input(["batch", 4]))
    assert calls == 12
    assert len(b.graph().functions) == 12
