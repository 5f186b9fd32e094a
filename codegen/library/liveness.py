"""Assignments that nothing reads before the next one, which folding leaves behind."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ..nodes import is_stored, names_in
from ..walk import walk


def without_dead(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """A body less the assignments to locals that are not read."""
    while True:
        inner = (ast.FunctionDef, ast.Lambda)
        nodes = [n for s in body for n in walk(s)]
        closed = [names_in(n) for n in nodes if isinstance(n, inner)]
        kept, _ = _Liveness(frozenset().union(*closed)).block(body, frozenset())
        if len(kept) == len(body):
            return kept
        body = kept  # functions that are gone read nothing any more


class _Liveness:
    """Goes backwards through a body with the names that are read later."""

    def __init__(self, always: frozenset[str]) -> None:
        self.always = always
        """What functions inside read, whenever they run."""

    def block(
        self, body: Sequence[ast.stmt], live: frozenset[str]
    ) -> tuple[list[ast.stmt], frozenset[str]]:
        """The statements that are left, and what is read from their start on."""
        kept: list[ast.stmt] = []
        for statement in reversed(body):
            found = self._statement(statement, live)
            if found is not None:
                kept.insert(0, statement)
                live = found
        return kept, live

    def _statement(self, node: ast.stmt, live: frozenset[str]) -> frozenset[str] | None:
        """What is read from here on; None for a statement that has no effect."""
        match node:
            case ast.Assign(targets=[target], value=value):
                return self._assigned(target, value, live)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                return self._assigned(target, value, live)
            case ast.Return() | ast.Raise():
                return frozenset(names_in(node))
            case ast.If(test=test):
                node.body, then = self._within(node.body, live)
                node.orelse, other = self._within(node.orelse, live)
                return then | other | names_in(test)
            case ast.For(target=target, iter=items):
                again = live | _read(node)
                node.body, first = self._within(node.body, again)
                return live | first | names_in(items) | names_in(target)
            case ast.FunctionDef(name=name):
                if name not in live | self.always:
                    return None
                node.body = without_dead(node.body)
        return live | names_in(node)

    def _assigned(
        self, target: ast.expr, value: ast.expr, live: frozenset[str]
    ) -> frozenset[str] | None:
        parts = target.elts if isinstance(target, ast.Tuple) else [target]
        names = {part.id for part in parts if isinstance(part, ast.Name)}
        if len(names) < len(parts):
            return live | names_in(target) | names_in(value)
        if not names & (live | self.always):
            return None
        return (live - names) | names_in(value)

    def _within(
        self, body: list[ast.stmt], live: frozenset[str]
    ) -> tuple[list[ast.stmt], frozenset[str]]:
        kept, found = self.block(body, live)
        return (kept, found) if kept else (body, live | _read(*body))


def _read(*nodes: ast.stmt) -> frozenset[str]:
    names = (n for node in nodes for n in walk(node) if isinstance(n, ast.Name))
    return frozenset(n.id for n in names if not is_stored(n))
