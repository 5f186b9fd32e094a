"""`jax.lax.cond` of two functions without operands."""

from __future__ import annotations

import ast

from ..nodes import assign, call, function, lambda_of, literal, name, subscript
from .base import Loop
from .call import callee_call

LABELS = ("then", "else")


class Branch(Loop):
    def write(self) -> None:
        predicate = self.writer.atom(self.step.args["predicate"])
        calls = [self._call(i) for i in range(2)]
        branches: list[ast.expr] = [lambda_of([], c) for c in calls]
        if self.step.stateful:
            outputs, new = (name(self.names.fresh(n)) for n in ("outputs", "new"))
            branches = [self._with_state(i, calls[i], outputs, new) for i in range(2)]
        self.writer.statement(self.step, call("jax.lax.cond", [predicate, *branches]))

    def _call(self, taken: int) -> ast.expr:
        callee = self.step.callees[taken]
        own = subscript(self.own, LABELS[taken]) if callee.tree else ast.Dict([], [])
        value = callee_call(self.writer, callee, own, self.fixed, {}, cse=True)
        plan = self.writer.module.plans[callee.name]
        return _values(value) if plan.returns_dict and not callee.stateful else value

    def _with_state(
        self, taken: int, value: ast.expr, outputs: ast.Name, new: ast.Name
    ) -> ast.expr:
        """A branch that returns its outputs and the state of both."""
        callees = self.step.callees
        target: ast.expr = outputs
        if callees[taken].stateful:
            target = ast.Tuple([outputs, new])
        state = {
            label: new
            if i == taken
            else self.kept(subscript(self.own, label), callees[i].tree)
            for i, label in enumerate(LABELS)
            if callees[i].stateful
        }
        plan = self.writer.module.plans[callees[taken].name]
        as_tuple = plan.returns_dict and callees[taken].stateful
        result = _values(outputs) if as_tuple else outputs
        parts = ast.Dict([literal(k) for k in state], [*state.values()])
        title = self.writer.fresh(f"{self.step.name}_{LABELS[taken]}")
        body: list[ast.stmt] = [
            assign(target, value),
            ast.Return(ast.Tuple([result, parts])),
        ]
        self.writer.body.append(function(title, [], [], "Any", body))
        return name(title)


def _values(outputs: ast.expr) -> ast.expr:
    """What an entry returns by name, as the tuple that both branches return."""
    return call("tuple", [call(ast.Attribute(outputs, "values"))])
