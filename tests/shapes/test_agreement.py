"""Builder and validator ask one engine: what one refuses, so does the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sample_specs import Data, spec

import blox as bx
from blox.schema import Graph

Write = Callable[[bx.FunctionBuilder, bx.Value], bx.Value]
SEQ: Data = {"x": {"shape": ["batch", "seq"], "dtype": "float"}}
IMAGE: Data = {"x": {"shape": ["batch", "height", "width", 4], "dtype": "float"}}


def one_more(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
    return f.reshape("y", x, shape=["$batch", "$seq + 1"])


def flattened(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
    return f.reshape("y", x, shape=["$batch * seq"])


def skip(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
    """Down by a convolution with strides, up again, beside what came in."""
    down = f.conv("down", x, out_features=4, kernel_size=[3, 3], strides=2)
    tall = f.repeat_elements("tall", down, repeats=2, axis=-3)
    up = f.repeat_elements("up", tall, repeats=2, axis=-2)
    return f.concatenate("y", [x, up], axis=-1)


def window(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
    return f.dynamic_slice("y", x, [0], size=[20], axis=[1])


def halves(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
    return f.split("y", x, names=["a", "b"], axis=1).a


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

    def main(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        return write(f, x)

    try:
        entry(main)
        graph, said = b.graph(), ""
    except bx.ModelError as error:
        graph, said = None, str(error)
    assert (graph is not None) == fits, said
    if graph is not None:
        assert bx.validate(graph).ok
        return
    path, op, text = said.split(": ", 2)
    node = path.removeprefix("main.")
    found = bx.validate(Graph.parse(_refused(write, inputs, dims, constraints)))
    assert [(d.path, d.message.partition(" at ")[0]) for d in found.errors] == [
        (path, text.partition(" at ")[0])
    ]
    assert op in ("reshape", "concatenate", "dynamic_slice", "split")
    assert node == "y"


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
        halves: {"y": {"op": "split", "x": "x", "names": ["a", "b"], "axis": 1}},
    }
    more: Data = {"dims": dims} if dims else {}
    if constraints:
        more["constraints"] = constraints
    output = "y.a" if write is halves else "y"
    return spec(made[write], output, inputs=inputs, **more)


def test_the_graph_is_checked_whole() -> None:
    """What no node shows alone: an input that is absent, a float that is narrow."""
    b = bx.GraphBuilder("model")

    def step(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        return f.add("y", x, f.zeros("z", shape=[4], dtype="float32"))

    @b.entry(x=bx.Input(["batch", 4]))
    def main(f: bx.FunctionBuilder, x: bx.Value) -> bx.Value:
        return f.scan("s", step, carry={"x": x}, length=3)

    with pytest.raises(bx.ModelError, match=r"main\.s\.carry\.x: .* is bfloat16$"):
        b.graph()
