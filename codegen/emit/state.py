"""The local `state` of a function: what was updated so far, where the new lies."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ...schema.parameters import Leaf
from ...schema.resolve.program import Step
from ...schema.resolve.trees import Tree, part_at
from ..nodes import assign, call, literal, name, subscript
from ..plan import state_leaves


@dataclass
class State:
    """What a function has written to `state`; `fresh` gives new names of locals, `tree`
    are its arrays."""

    fresh: Callable[[str], str]
    tree: Tree
    written: set[tuple[str, ...]] = field(default_factory=set)
    """The paths of the arrays so far, and all that these lie below."""

    def params(self, step: Step) -> ast.expr:
        """The part of params that a step has, with what was updated before it."""
        own = subscript(name("params"), *step.scope)
        if step.merges and step.scope in self.written:
            return call("merge", [own, subscript(name("state"), *step.scope)])
        return own

    def assign(
        self, step: Step, value: ast.expr, stays: ast.stmt | None
    ) -> list[ast.stmt]:
        """The next value of a node of state.

        Args:
            step: the node that assigns.
            value: the value.
            stays: what is done where only training changes the state, when it does not.
        """
        *around, last = step.scope
        numbered = last.isdecimal()
        overlaps = step.scope in self.written
        self.written.update(step.scope[:i] for i in range(len(step.scope) + 1))

        def within(scope: Sequence[str], tree: ast.expr) -> ast.stmt:
            return assign(
                "state", call("merge", [name("state"), self._at(scope, tree)])
            )

        if around or overlaps:
            new = within(step.scope, value)
        else:
            new = ast.Assign([subscript(name("state"), last)], value)
        if not step.uses_train:
            return [new]
        kept = step.scope if numbered else around
        others = [within(kept, ast.Dict([], []))] if around else []
        return [ast.If(name("train"), [new], others + ([stays] if stays else []))]

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
        new = self._at(scope, local)
        return local, [assign("state", call("merge", [name("state"), new]))]

    def _at(self, scope: Sequence[str], value: ast.expr) -> ast.expr:
        """A tree with a value at a scope; nothing in the other parts of a list."""
        for i, part in reversed([*enumerate(scope)]):
            if not part.isdecimal():
                value = ast.Dict([literal(part)], [value])
                continue
            around = self.tree
            for outer in scope[:i]:
                around = part_at(around, outer)
            assert not isinstance(around, Leaf)
            parts: list[ast.expr] = [ast.Dict([], []) for _ in around]
            parts[int(part)] = value
            value = ast.List(parts)
        return value
