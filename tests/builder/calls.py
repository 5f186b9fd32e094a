"""Models whose entry calls functions, for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import blox as bx
from blox.schema import Graph

X = bx.Input(["batch", 8])


def graph_of(main: Callable[..., Any], **inputs: bx.Input) -> Graph:
    b = bx.GraphBuilder("m")
    b.entry(main, **(inputs or {"x": X}))
    return b.graph()


def functions(graph: Graph) -> dict[str, Any]:
    found: dict[str, Any] = graph.plain()["functions"]
    return found


def layer(
    f: bx.F, x: bx.Value, *, features: int, act: str = "relu", pool: bool = False
) -> bx.Value:
    x = getattr(f, act)(f.linear("l", x, features))
    return f.layer_norm("n", x) if pool else x
