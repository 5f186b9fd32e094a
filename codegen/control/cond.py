"""`jax.lax.cond` of functions without operands, of which one runs."""

from __future__ import annotations

import ast

from ...schema.ops.control import Cond
from ...schema.resolve.program import Called, Step
from ..nodes import assign, call, function, lambda_of, literal, name
from ..writer import Writer
from .base import Loop, Node, arrays
from .call import callee_call

BRANCHES = ("outputs.values",)
EMITS = (*BRANCHES, "jax.lax.cond")


def write(writer: Writer, step: Step, node: Cond) -> None:
    """Writes a `cond` node."""
    cond = Branches(writer, step, node)
    predicate = writer.atom(step.operand("predicate"))
    cond.finish(call("jax.lax.cond", [predicate, *cond.branches()]))


class Branches(Loop[Node]):
    """A node of which one callee runs, and all callees' state comes out."""

    def branches(self) -> list[ast.expr]:
        """The branches, each a lambda, or a `def` where there is state."""
        calls = [(c, self._call(c)) for c in self.step.callees]
        if not self.step.stateful:
            return [lambda_of([], value) for _, value in calls]
        outputs, new = (name(self.names.fresh(n)) for n in ("outputs", "new"))
        return [self._with_state(c, value, outputs, new) for c, value in calls]

    def finish(self, value: ast.expr) -> None:
        """Names the outputs, of which JAX tells type checkers nothing."""
        self.writer.statement(self.step, value)
        outputs = self.writer.values[self.step.name]
        self.writer.untyped |= {o.id for o in outputs if isinstance(o, ast.Name)}

    def _call(self, taken: Called) -> ast.expr:
        callee = taken.instance
        value = callee_call(
            self.writer, callee, self.part(taken), self.fixed, {}, cse=True
        )
        plan = self.writer.module.plans[callee.name]
        return _values(value) if plan.returns_dict and not callee.stateful else value

    def _with_state(
        self, taken: Called, value: ast.expr, outputs: ast.Name, new: ast.Name
    ) -> ast.expr:
        """A branch that returns its outputs and the state of all branches."""
        stateful = taken.instance.stateful
        target: ast.expr = ast.Tuple([outputs, new]) if stateful else outputs
        state = {
            str(called.declared.role): new
            if called is taken
            else self.kept(self.part(called), called.instance.tree)
            for called in self.step.callees
            if called.instance.stateful
        }
        plan = self.writer.module.plans[taken.instance.name]
        result = _values(outputs) if plan.returns_dict and stateful else outputs
        parts = ast.Dict([literal(k) for k in state], [*state.values()])
        title = self.writer.fresh(f"{self.step.name}_{taken.declared.role}")
        body: list[ast.stmt] = [
            assign(target, value),
            ast.Return(ast.Tuple([result, parts])),
        ]
        kind = f"tuple[{arrays(len(self.step.outputs))}, Params]"
        self.writer.body.append(function(title, [], [], kind, body))
        return name(title)


def _values(outputs: ast.expr) -> ast.expr:
    """What an entry returns by name, as the tuple that all branches return."""
    return call("tuple", [call(ast.Attribute(outputs, "values"))])
