"""Builder and validator ask one engine: what one refuses, so does the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sample_specs import Data, spec

import blox as bx
from blox.schema import Graph

Write = Callable[[bx.F, bx.Value], bx.Value]
SEQ: Data = {"x": {"shape": ["batch", "seq"], "dtype": "float"}}
IMAGE: Data = {"x": {"shape": ["batch", "height", "width", 4], "dtype": "float"}}


def one_more(f: bx.F, x: bx.Value) -> bx.Value:
    return f.reshape(x, [x.shape[0], x.shape[1] + 1], name="y")


def flattened(f: bx.F, x: bx.Value) -> bx.Value:
    return f.reshape(x, ["$batch * seq"], name="y")


def skip(f: bx.F, x: bx.Value) -> bx.Value:
    """Down by a convolution with strides, up again, beside what came in."""
    down = f.conv("down", x, 4, kernel_size=[3, 3], strides=2)
    up = f.repeat_elements(down, repeats=2, axis=-3)
    up = f.repeat_elements(up, repeats=2, axis=-2)
    return f.concatenate([x, up], axis=-1, name="y")


def window(f: bx.F, x: bx.Value) -> bx.Value:
    return f.dynamic_slice(x, [0], size=[20], axis=[1], name="y")


def halves(f: bx.F, x: bx.Value) -> bx.Value:
    return f.split(x, 2, axis=1, names=["a", "b"], name="y")[0]


CASES: list[tuple[Write, Data, Data, list[str], bool]] = [
    (one_more, SEQ, {}, ["batch * seq <= 1000"], False),
    (flattened, SEQ, {}, ["batch * seq <= 1000"], True),
    (skip, IMAGE, {}, [], False),
    (skip, IMAGE, {"height": {"multiple_of": 2}}, [], False),
    (
        skip,
        IMAGE,
        {"height": {"multiple_of": 2}, "width": {"multiple_of": 2}},
        [],
        True,
    ),
    (window, SEQ, {}, [], False),
    (window, SEQ, {"seq": {"min": 20}}, [], True),
    (window, SEQ, {}, ["seq >= 2 * batch + 20"], True),
    (halves, SEQ, {}, [], False),
    (halves, SEQ, {"seq": {"multiple_of": 6}}, [], True),
    (halves, SEQ, {"seq": {"min": 8, "max": 8}}, [], True),
]


def builder(inputs: Data, dims: Data, constraints: list[str]) -> tuple[Any, Any]:
    b = bx.GraphBuilder("model")
    for name, bounds in dims.items():
        b.dim(name, **bounds)
    for text in constraints:
        b.constraint(text)
    return b, b.entry(x=bx.Input(inputs["x"]["shape"]))


@pytest.mark.parametrize(("write", "inputs", "dims", "constraints", "fits"), CASES)
def test_both_decide_alike(
    write: Write, inputs: Data, dims: Data, constraints: list[str], fits: bool
) -> None:
    b, entry = builder(inputs, dims, constraints)

    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return write(f, x)

    def graph() -> Graph:
        entry(main)
        made: Graph = b.graph()
        return made

    if fits:
        assert bx.validate(graph()).ok
        return
    with pytest.raises(bx.ModelError) as raised:
        graph()
    (said,) = raised.value.diagnostics
    data = _refused(write, inputs, dims, constraints)
    (found,) = bx.validate(Graph.parse(data)).errors
    assert said.path == found.path == "main.y"
    op = data["functions"]["main"]["nodes"]["y"]["op"]
    assert _words(said.message.removeprefix(f"{op}: ")) == _words(found.message)


def _words(message: str) -> list[str]:
    """What is wrong, before the sizes, which are symbols here and numbers there."""
    return message.split()[:5]


def _refused(write: Write, inputs: Data, dims: Data, constraints: list[str]) -> Data:
    """The same nodes, written by hand."""
    made: dict[Any, Data] = {
        one_more: {"y": {"op": "reshape", "x": "x", "shape": ["$batch", "$seq + 1"]}},
        skip: {
            "down": {
                "op": "conv",
                "x": "x",
                "in_features": 4,
                "out_features": 4,
                "kernel_size": [3, 3],
                "strides": 2,
            },
            "tall": {"op": "repeat_elements", "x": "down", "repeats": 2, "axis": -3},
            "up": {"op": "repeat_elements", "x": "tall", "repeats": 2, "axis": -2},
            "y": {"op": "concatenate", "xs": ["x", "up"], "axis": -1},
        },
        window: {
            "y": {
                "op": "dynamic_slice",
                "x": "x",
                "start": [0],
                "size": [20],
                "axis": [1],
            }
        },
        halves: {
            "y": {
                "op": "split",
                "x": "x",
                "sections": 2,
                "names": ["a", "b"],
                "axis": 1,
            }
        },
    }
    more: Data = {"dims": dims} if dims else {}
    if constraints:
        more["constraints"] = constraints
    output = "y.a" if write is halves else "y"
    return spec(made[write], output, inputs=inputs, **more)


def test_the_graph_is_checked_whole() -> None:
    """What no node shows alone: an input that is absent, a float that is narrow."""
    b = bx.GraphBuilder("model")

    def step(f: bx.F, x: bx.Value) -> bx.Value:
        return x + f.zeros([4], "float32")

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.F, x: bx.Value) -> bx.Value:
        return f.scan("s", step, length=3)(x)

    with pytest.raises(bx.ModelError, match=r"main\.s\.carry\.x: .* is bfloat16 \("):
        b.graph()
