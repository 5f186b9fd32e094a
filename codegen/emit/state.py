"""The local `state` of a function: what was updated so far, where the new lies."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field

from ...schema.resolve.program import Step
from ..nodes import assign, call, literal, name, subscript
from ..plan import state_leaves


@dataclass
class State:
    """What a function has written to `state`; `fresh` gives new names of locals."""

    fresh: Callable[[str], str]
    written: set[tuple[str, ...]] = field(default_factory=set)
    """The paths of the arrays so far, and all that these lie below."""

    def params(self, step: Step) -> ast.expr:
        """The part of params that a step has, with what was updated before it."""
        own = subscript(name("params"), *step.scope)
        if step.merges and step.scope in self.written:
            return call("merge", [own, subscript(name("state"), *step.scope)])
        return own

    def target(self, step: Step) -> tuple[ast.expr, list[ast.stmt]]:
        """Where new state goes: a target, and what to do after the assignment."""
        scope = step.scope
        overlaps = scope in self.written
        for leaf in state_leaves(step.tree):
            path = (*scope, *leaf.split("."))
            self.written.update(path[:i] for i in range(len(path) + 1))
        if len(scope) == 1 and not overlaps:
            return subscript(name("state"), *scope), []
        local = name(self.fresh(f"{step.name}_state"))
        new: ast.expr = local
        for part in reversed(scope):
            new = ast.Dict([literal(part)], [new])
        return local, [assign("state", call("merge", [name("state"), new]))]
