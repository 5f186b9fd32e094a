"""Errors of loops and branches carry the path of their node."""

from __future__ import annotations

from typing import Any

import jax
import pytest
from runtime.calling import (
    WIDTH,
    fn,
    graph,
    init,
    node,
    ones,
    repeat,
)
from runtime.messages import message
from sample_specs import Data

import blox as bx


def part(**nodes: Data) -> Data:
    return {"functions": {"part": fn(nodes)}}


def loop(**fields: Any) -> Data:
    return {"w": {"op": "while_loop", "cond": "c", "body": "part", **fields}}


DIFFER = "carry input and carry output must have equal types, but they differ: "
OF_LOOPS: list[tuple[Data, Data, list[str]]] = [
    (
        {"h": repeat("part", scan=True)},
        part(y=node("astype", dtype="int32")),
        [
            f"main.h: scan body function {DIFFER}",
            "has type float32[3,4]",
            "has type int32[3,4]",
        ],
    ),
    (
        {"h": repeat("part", scan=True)},
        part(y=node("concatenate", None, xs=["x", "x"], axis=-1)),
        [
            f"main.h: scan body function {DIFFER}",
            "has type float32[3,4]",
            "has type float32[3,8]",
        ],
    ),
    (
        {
            "c": {
                "op": "cond",
                "predicate": 1,
                "then": "part",
                "else": "same",
                "inputs": {"x": "x"},
            }
        },
        {
            "functions": {
                "part": fn({"y": node("sum")}),
                "same": fn({"y": node("relu")}),
            }
        },
        [
            "main.c: cond branches must have equal output types but they differ. ",
            "has type float32[]",
            "has type float32[3,4]",
        ],
    ),
    (
        loop(carry={"x": "x"}),
        {"functions": {"part": fn({"y": node("relu")}), "c": fn({"y": node("relu")})}},
        ["main.w: cond_fun must return a boolean scalar, but got", "float32[3,4]"],
    ),
    (
        {
            "rows": node("arange", None, stop=2),
            "m": {"op": "map", "function": "part", "xs": {"a": "x", "b": "rows"}},
        },
        {
            "functions": {
                "part": fn(
                    {"y": node("multiply", None, a="a", b="b")},
                    inputs={"a": {}, "b": {}},
                )
            }
        },
        [
            "main.m: vmap got inconsistent sizes for array axes to be mapped: ",
            "size 3",
            "size 2",
            "(operands: a float32[3, 4], b int32[2])",
        ],
    ),
    (
        {"n": node("arange", None, stop="$4 // (batch - batch)")},
        {},
        ["main.n: division by zero (operands: none)"],
    ),
]


@pytest.mark.parametrize(("nodes", "more", "texts"), OF_LOOPS)
def test_errors_of_loops_and_branches(
    nodes: Data, more: Data, texts: list[str]
) -> None:
    model = graph(nodes, **more)
    found = message(jax.eval_shape, bx.build(model), init(model), ones(3, WIDTH))
    assert found.startswith(texts[0])
    assert all(text in found for text in texts)
    assert ".py" not in found
