"""Nodes replaced, put in and taken out, by functions that write others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from blox.builder.change import change
from blox.schema import Graph

from .plan import Step, same_paths


def replaced(graph: Graph, nodes: str, writer: Callable[..., Any]) -> Step:
    """Something else in place of the nodes that a glob over `function.node` matches."""
    new = change(graph, {nodes: writer})
    return Step(graph, new, same_paths(graph, new))
