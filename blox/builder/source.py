"""A Graph that is included in one that is being written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from blox.schema import Graph

from .needs import Needs

Change = Callable[..., Any]
"""Writes what takes the place of a node: `def lora(f, node)`."""


@dataclass(eq=False)
class Source:
    """A Graph that is included in another.

    Args:
        name: what it is called in errors.
        prefix: what stands before the names of its functions.
        numbers: its attributes, in the words of the other.
        needs: gets what its entries ask of dims; None where they stay entries.
        changes: what takes the place of nodes, by function and node.
        declared: gets the declared inputs of its functions.
        functions: as the nodes of its own functions call them.
    """

    graph: Graph
    name: str
    prefix: str
    numbers: dict[str, Any]
    needs: Needs | None
    changes: Mapping[tuple[str, str], Change]
    declared: dict[Callable[..., Any], Any]
    functions: dict[str, Callable[..., Any]] = field(default_factory=dict)
    plain: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.plain = self.graph.plain()["functions"]
