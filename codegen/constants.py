"""Attributes of the Graph as constants of the file: `WIDTH, DEPTH = 32, 3`."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from ..schema.content import Content
from ..schema.names import RESERVED
from .names import AMBIGUOUS, Names
from .nodes import Known, assign, known, literal, name, tuple_of
from .printer import LINE_WIDTH, render

IN_A_ROW = 5
"""So many constants can be told apart on one line."""


@dataclass(frozen=True)
class Constants:
    """The constants of a file, by the attribute that each is.

    A user's name stays as it is: a constant that would be called the same gets `_`.
    """

    nodes: Mapping[str, Known]

    @classmethod
    def of(cls, graph: Content, taken: Set[str]) -> Constants:
        names = Names(taken | RESERVED | AMBIGUOUS)
        return cls(
            {
                attribute: known(names.fresh(_title(attribute)), value)
                for attribute, value in graph.attributes.items()
            }
        )

    @property
    def titles(self) -> frozenset[str]:
        return frozenset(node.id for node in self.nodes.values())

    def statements(self, used: Set[str]) -> list[ast.stmt]:
        """Those that a file speaks of, a few on a line."""
        nodes = [node for node in self.nodes.values() if node.id in used]
        for most in range(IN_A_ROW, 1, -1):
            rows = _rows(nodes, most)
            if all(len(render([row])) <= LINE_WIDTH for row in rows):
                return rows
        return _rows(nodes, 1)


def _rows(nodes: Sequence[Known], most: int) -> list[ast.stmt]:
    """Assignments of at most so many constants each, of about as many."""
    count = -(-len(nodes) // most)
    cuts = [len(nodes) * i // count for i in range(count + 1)] if count else []
    rows = [nodes[a:b] for a, b in pairwise(cuts)]
    return [
        assign(
            tuple_of([name(node.id) for node in row]),
            tuple_of([literal(node.number) for node in row]),
        )
        for row in rows
    ]


def _title(attribute: str) -> str:
    """`kv_heads` and `kvHeads` as `KV_HEADS`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", attribute).upper()
