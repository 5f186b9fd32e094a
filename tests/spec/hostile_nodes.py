"""Parts of the specs of tests of harmful files."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from sample_specs import GPT, RELU, Data, function, spec

BIG = 2**40


def call(name: str, x: str = "x", **more: Any) -> Data:
    return {"op": "call", "function": name, "inputs": {"x": x}, **more}


def loop(name: str, count: Any, **more: Any) -> Data:
    return {
        "op": "repeat", "function": name, "count": count, "carry": {"y": "x"}, **more,
    }  # fmt: skip


def without(key: str) -> Data:
    return {k: v for k, v in GPT.items() if k != key}


def changed(path: str, value: Any, base: Data = GPT) -> Data:
    """The spec with another value at `a/b/c`."""
    data: Any = copy.deepcopy(base)
    *outer, last = path.split("/")
    part = data
    for key in outer:
        part = part[key]
    part[last] = value
    return dict(data)


def node(**fields: Any) -> Data:
    return spec({"n": fields})


def named(name: str) -> Data:
    """A graph with a node of that name."""
    return spec({name: RELU, "z": {"op": "relu", "x": "x"}}, "z")


def chain(depth: int, node: Callable[[int], Data], **more: Any) -> Data:
    """`f0` is a relu; `f1`, ... each have the nodes that `node` gives."""
    functions = {"f0": function({"a": RELU}, "a", **more)}
    for i in range(1, depth + 1):
        functions[f"f{i}"] = function(node(i), list(node(i))[-1], **more)
    return functions


def doubling(i: int) -> Data:
    return {"a": call(f"f{i - 1}"), "b": call(f"f{i - 1}", "a")}
