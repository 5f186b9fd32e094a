"""The canonical JSON of a model in pieces: its head, and each function and node."""

from __future__ import annotations

from typing import Any

from blox.schema import Graph
from blox.schema.write.canonical import text_of_value


def spec_of(graph: Graph) -> dict[str, Any]:
    """Text of the file, so that every number reads as it does there.

    Returns:
        `head`, the fields of the Graph but for its functions; in `functions`, for each,
        `before` and `after` its nodes, and `nodes` by name.
    """
    data = graph.plain()
    functions = data.pop("functions")
    return {
        "head": text_of_value(data),
        "functions": {name: _pieces(found) for name, found in functions.items()},
    }


def _pieces(function: dict[str, Any]) -> dict[str, Any]:
    names = list(function)
    at = names.index("nodes")
    return {
        "before": _members(function, names[:at]),
        "nodes": {
            name: text_of_value(node, 4, len(name) + 4)
            for name, node in function["nodes"].items()
        },
        "after": _members(function, names[at + 1 :]),
    }


def _members(function: dict[str, Any], names: list[str]) -> list[list[str]]:
    return [[name, text_of_value(function[name], 2, len(name) + 4)] for name in names]
