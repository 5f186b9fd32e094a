"""Nodes of `state` and `assign`, and a function of them."""

from __future__ import annotations

from typing import Any

from runtime.calling import (
    WIDTH,
    fn,
    node,
    ones,
)
from sample_specs import Data

x = ones(5, WIDTH) + 0.5


COUNT: Data = {"op": "state", "shape": [], "dtype": "int32"}


MEAN: Data = {"op": "state", "shape": [WIDTH]}


def assign(to: str, value: Any, **more: Any) -> Data:
    return {"op": "assign", "to": to, "x": value, **more}


def add(a: Any, b: Any) -> Data:
    return node("add", None, a=a, b=b)


COUNTED = fn(
    {
        "calls": COUNT,
        "more": add("calls", 1),
        "count": assign("calls", "more"),
        "average": MEAN,
        "old": node("multiply", None, a="average", b=0.9),
        "now": node("mean", axis=0),
        "part": node("multiply", None, a="now", b=0.1),
        "sum": add("old", "part"),
        "new": assign("average", "sum", training=True),
        "y": node("subtract", None, a="x", b="new"),
    }
)
