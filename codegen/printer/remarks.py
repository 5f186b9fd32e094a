"""What stands beside a statement, which syntax trees have no place for."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remarks:
    """What stands beside a statement: comments above it, `# type: ignore` behind it."""

    comments: tuple[str, ...] = ()
    pragma: str = ""

    def __or__(self, other: Remarks) -> Remarks:
        both = self.comments + other.comments
        return Remarks(both, self.pragma or other.pragma)


def remarks(node: ast.stmt) -> Remarks:
    found = getattr(node, "remarks", None)
    return found if isinstance(found, Remarks) else Remarks()


def set_remarks(node: ast.stmt, found: Remarks) -> None:
    node.remarks = found  # type: ignore[attr-defined]
