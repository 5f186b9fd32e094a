"""Small models to save and load: a Graph as data, its Params, its flat tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
from sample_specs import Data, function, spec

import blox as bx
from blox.schema import Graph, to_json
from blox.weights import save_flat

WIDTH = 8


def linear(x: str = "x", features: int = WIDTH) -> Data:
    return {"op": "linear", "x": x, "in_features": WIDTH, "out_features": features}


def repeat(function: str, count: int, *, scan: bool, x: str = "x") -> Data:
    return {
        "op": "repeat",
        "function": function,
        "count": count,
        "scan": scan,
        "carry": {"x": x},
    }


def layered(*, scan: bool, inner: bool | None = None, depth: int = 3) -> Graph:
    """`h`: blocks of a linear `up`, and where `inner` is given, 2 `g` in each."""
    nodes: Data = {"up": linear()}
    last = "up"
    if inner is not None:
        nodes["g"] = repeat("part", 2, scan=inner, x="up")
        last = "g"
    functions = {"block": function(nodes, {"x": last})}
    if inner is not None:
        functions["part"] = function({"down": linear()}, {"x": "down"})
    main = {"h": repeat("block", depth, scan=scan), "out": linear("h", 4)}
    return Graph.parse(spec(main, functions=functions))


def init(graph: Graph, **options: Any) -> dict[str, Any]:
    return bx.init(graph, jax.random.key(0), **options)


def nested(*, scan: bool, inner: bool) -> dict[str, Any]:
    """Params of `layered(scan=scan, inner=inner)`: the same values in every layout."""

    def stacked(copies: list[Any]) -> Any:
        return jax.tree.map(lambda *parts: np.stack(parts), *copies)

    params = init(layered(scan=False, inner=False))
    blocks = [
        {"up": b["up"], "g": stacked(b["g"]) if inner else b["g"]} for b in params["h"]
    ]
    return {"h": stacked(blocks) if scan else blocks, "out": params["out"]}


def flat(tree: Any, path: str = "") -> dict[str, np.ndarray[Any, Any]]:
    """Arrays by path; a list's by number."""
    if isinstance(tree, (dict, list)):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        found: dict[str, np.ndarray[Any, Any]] = {}
        for name, part in items:
            found |= flat(part, f"{path}.{name}" if path else str(name))
        return found
    return {path: np.asarray(tree)}


def write(folder: Path, graph: Graph, tensors: dict[str, Any], **meta: str) -> Path:
    """A model folder as another tool would write it."""
    save_flat(
        folder,
        tensors,
        metadata=meta,
        extra_files={"graph.json": to_json(graph).encode()},
    )
    return folder


def assert_same(found: Any, expected: Any) -> None:
    """The same nesting, dtypes and values."""
    assert str(jax.tree.structure(found)) == str(jax.tree.structure(expected))
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
