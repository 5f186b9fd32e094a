"""The values of one list of equations, by number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .seen import Size, Unknown


@dataclass(frozen=True, slots=True)
class Node:
    """What computes a value.

    Args:
        kind: the primitive, its parameters, and what else tells it from others.
        operands: the node of each, and of elementwise ones and reductions for each axis
            of this node the axis of it.
        number: the value of a scalar that stands in the code.
        fixed: True where it depends on no array that flows in.
    """

    kind: Any
    shape: tuple[Size, ...]
    dtype: str
    operands: tuple[tuple[int, tuple[int | None, ...]], ...] = ()
    number: Any = None
    fixed: bool = False


@dataclass(eq=False)
class Table:
    """The values of one list of equations."""

    numbers: dict[Any, int] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    users: dict[int, list[int]] = field(default_factory=dict)

    def find(self, key: Any, make: Callable[[], Node]) -> int:
        """The number of a value, a new one where there is none."""
        if key not in self.numbers:
            node = make()
            self.numbers[key] = len(self.nodes)
            self.nodes.append(node)
            for operand in dict.fromkeys(n for n, _ in node.operands):
                self.users.setdefault(operand, []).append(self.numbers[key])
        return self.numbers[key]


class Fixed(Table):
    """A table that only finds what is there."""

    def __init__(self, table: Table) -> None:
        super().__init__(table.numbers, table.nodes, table.users)

    def find(self, key: Any, make: Callable[[], Node]) -> int:
        found = self.numbers.get(key)
        if found is None:
            raise Unknown
        return found
