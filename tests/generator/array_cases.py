"""Graphs whose arrays lie in every way, and what loader and generated file make of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from generated_files import executed
from sample_specs import Data, function, spec
from trees import same_structure

import blox as bx
from blox.io.load import read_params
from blox.schema import Graph
from blox.weights import read_headers

KEY = jax.random.key(3)
X: Data = {"x": {"shape": ["batch", 4], "dtype": "float"}}


UNIFORM: Data = {"kernel": {"name": "uniform", "scale": 0.5}}
"""Quick to compile."""


def linear(x: str = "x", **more: Any) -> Data:
    sizes = {"in_features": 4, "out_features": 4}
    return {"op": "linear", "x": x, **sizes, "init": UNIFORM, **more}


def repeat(name: str, scan: bool, count: int = 3, **more: Any) -> Data:
    return {
        "op": "repeat", "function": name, "count": count, "scan": scan,
        "carry": {"x": "x"}, **more,
    }  # fmt: skip


BLOCK = function(
    {"up": linear(), "norm": {"op": "layer_norm", "x": "up", "features": 4}},
    {"x": "norm"},
)


def nested(outer: bool, inner: bool) -> Data:
    row = function({"g": repeat("block", inner, 2)}, {"x": "g"})
    return spec(
        {"h": repeat("row", outer)}, inputs=X, functions={"row": row, "block": BLOCK}
    )


def whole(outer: bool) -> Data:
    """A repeat whose own parameters are those of the scanned repeat in it."""
    row = function({"g": repeat("block", True, 2, params=".")}, {"x": "g"})
    return spec(
        {"h": repeat("row", outer)}, inputs=X, functions={"row": row, "block": BLOCK}
    )


def mixed() -> Data:
    """Own dtypes, root leaves, key data, other initialisers, a map, a cycle."""
    constant: Data = {"init": {"kernel": {"name": "constant", "value": 0.5}}}
    body = function(
        {
            "conv": linear(init={"kernel": {"name": "uniform", "scale": 2.0}}),
            "bn": {"op": "batch_norm", "x": "conv", "features": 4},
        },
        {"x": "bn"},
    )
    lane = function({"lin": linear(**constant)}, {"x": "lin"})
    part = function(
        {
            "a": linear(out_features="$width", **constant),
            "b": linear("a", in_features="$width", use_bias=False, **constant),
        },
        {"x": "b"},
        attributes=["width"],
    )
    nodes: Data = {
        "gain": {"op": "param", "shape": [4], "init": {"value": {"name": "ones"}}},
        "rng": {"op": "rng"},
        "first": linear(**constant),
        "drop": {"op": "dropout", "x": "first", "key": "rng", "rate": 0.5},
        "lanes": {"op": "map", "function": "lane", "count": 2, "inputs": {"x": "drop"}},
        "sum": {"op": "sum", "x": "lanes", "axis": 0},
        "s": repeat("body", True) | {"carry": {"x": "sum"}},
        "u": repeat("body", False) | {"carry": {"x": "s"}},
        "cycle": repeat("part", False, 5, attributes={"width": [2, 3]})
        | {"carry": {"x": "u"}},
        "scaled": {"op": "multiply", "a": "cycle", "b": "gain"},
    }  # fmt: skip
    functions = {"body": body, "lane": lane, "part": part}
    return spec(nodes, inputs=X, functions=functions)


def drawing() -> Data:
    """Initialisers that calculate, one in 32 bits whatever the dtype."""
    orthogonal = {"kernel": {"name": "orthogonal", "scale": 2.0}}
    return spec({"a": linear(init=orthogonal), "b": linear("a", init={})}, inputs=X)


def at_the_root() -> Data:
    """Arrays whose path is the last name of others, which start otherwise or have
    another dtype."""
    norm: Data = {"op": "layer_norm", "features": 4}
    state: Data = {"op": "batch_norm", "x": "b", "features": 4}
    value: Data = {"op": "param", "shape": [4], "init": {"value": {"name": "normal"}}}
    nodes = {
        "scale": value,
        "mean": value,
        "bias": value | {"dtype": "float16"},
        "a": norm | {"x": "x"},
        "b": norm | {"x": "a"},
        "c": state,
        "fixed": value | {"dtype": "float16", "params": "d.v"},
        "free": value | {"params": "e.v"},
        "again": value | {"dtype": "float16", "params": "f.v"},
    }
    return spec(nodes, inputs=X)


def unlike() -> Data:
    """Parts of a list of which two are stacked, with lists in them, and one is not."""
    row = function({"g": repeat("block", False, 2)}, {"x": "g"})
    nodes = {
        "a": repeat("row", True, 3, params="layers.0"),
        "b": repeat("row", True, 2, params="layers.1") | {"carry": {"x": "a"}},
        "c": linear("b", params="layers.2"),
    }
    return spec(nodes, inputs=X, functions={"row": row, "block": BLOCK})


CASES: dict[str, Callable[[], Data]] = {
    "plain": lambda: spec({"a": linear(), "b": linear("a")}, inputs=X),
    "scanned": lambda: spec(
        {"h": repeat("block", True)}, inputs=X, functions={"block": BLOCK}
    ),
    "listed": lambda: spec(
        {"h": repeat("block", False)}, inputs=X, functions={"block": BLOCK}
    ),
    **{
        f"nested_{outer:d}{inner:d}": partial(nested, outer, inner)
        for outer in (False, True)
        for inner in (False, True)
    },
    "whole_0": partial(whole, False),
    "whole_1": partial(whole, True),
    "mixed": mixed,
    "drawing": drawing,
    "at_the_root": at_the_root,
    "unlike": unlike,
    "nothing": lambda: spec({"y": {"op": "relu", "x": "x"}}, inputs=X),
}


@cache
def graph_of(case: str) -> Graph:
    return Graph.parse(CASES[case]())


@cache
def file_of(case: str) -> dict[str, Any]:
    return executed(bx.generate(graph_of(case)))


def assert_equal(ours: Any, theirs: Any) -> None:
    assert same_structure(ours, theirs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_array_equal(a, b)


@cache
def params_of(case: str) -> Any:
    return bx.init(graph_of(case), KEY)


def flattened(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, dict | list):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for name, part in items:
            yield from flattened(part, f"{path}.{name}".strip("."))
    else:
        yield path, tree


def both(case: str, place: Path) -> tuple[Any, Any]:
    """What loader and file read; the error where they refuse."""
    ours: Any
    theirs: Any
    try:
        ours = read_params(graph_of(case), read_headers(place))[0]
    except bx.BloxError as error:
        ours = error
    try:
        theirs = file_of(case)["load_params"](place)
    except (ValueError, FileNotFoundError) as error:
        theirs = error
    return ours, theirs


def assert_same(case: str, place: Path) -> bool:
    """True where both read the same, False where both refuse."""
    ours, theirs = both(case, place)
    refused = isinstance(ours, Exception)
    assert refused == isinstance(theirs, Exception), (ours, theirs)
    if refused:
        assert "expected" in str(theirs)
        assert "\n" not in str(theirs)
    else:
        assert_equal(ours, theirs)
    return not refused


def files() -> dict[str, str]:
    """Those that `test_clean` checks."""
    return {case: bx.generate(graph_of(case)) for case in CASES}
