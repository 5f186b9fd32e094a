"""Comments of a source: syntax trees have none, so that each statement gets its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ..printer import Remarks, set_remarks


def attach_comments(tree: ast.Module, text: str) -> None:
    """Gives statements of functions the comments above them, and `# type: ...` behind.

    Only what is ASCII is carried over, as generated files are.
    """
    lines = text.split("\n")
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            _attach(node.body, node.lineno, lines)


def _attach(body: Sequence[ast.stmt], after: int, lines: Sequence[str]) -> None:
    """`after` is the line at which the statement before the body ends."""
    for statement in body:
        end = statement.end_lineno or statement.lineno
        above = [line.strip() for line in lines[after : statement.lineno - 1]]
        comments = tuple(
            line for line in above if line.startswith("#") and line.isascii()
        )
        behind = (
            lines[end - 1].encode()[statement.end_col_offset or 0 :].decode().strip()
        )
        pragma = behind if behind.startswith("# type:") and behind.isascii() else ""
        if comments or pragma:
            set_remarks(statement, Remarks(comments, pragma))
        for inner, start in _blocks(statement):
            _attach(inner, start, lines)
        after = end


def _blocks(statement: ast.stmt) -> Iterator[tuple[list[ast.stmt], int]]:
    """The bodies in a statement, each with a line before its first one."""
    for field in ("body", "orelse"):
        inner = getattr(statement, field, None)
        if isinstance(inner, list) and inner:
            before = inner[0].lineno - 1 if field == "orelse" else statement.lineno
            yield inner, before
