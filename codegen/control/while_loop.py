"""`jax.lax.while_loop` over (carry, step, state), each where there is one."""

from __future__ import annotations

import ast
from collections.abc import Set

from ...schema.ops.loops import WhileLoop
from ...schema.resolve.program import Instance, Step
from ..nodes import (
    assign,
    call,
    dotted,
    literal,
    name,
    names_in,
    subscript,
    tuple_of,
)
from ..writer import Writer
from .base import Argument, Loop, arrays, bind_carry, packed
from .call import callee_call

EMITS = ("jax.lax.while_loop",)


def write(writer: Writer, step: Step, node: WhileLoop) -> None:
    """Writes a `while_loop` node."""
    While(writer, step, node).write()


class While(Loop[WhileLoop]):
    """The test and the step of a loop, and the loop."""

    def __init__(self, writer: Writer, step: Step, node: WhileLoop) -> None:
        super().__init__(writer, step, node)
        self.limit: ast.expr | None = None
        if self.node.max_steps is not None:
            self.limit = writer.value(self.node.max_steps, "int")
            self.names = self.names.inside(names_in(self.limit))
        counted = self.uses_index or self.limit is not None
        self.carries = {n: name(self.names.fresh(n)) for n in self.carry}
        self.i = name(self.names.fresh(self.index or "i")) if counted else None
        self.state = name(self.names.fresh("state")) if step.stateful else None

    def write(self) -> None:
        writer, step = self.writer, self.step
        test, body = step.callee("cond").instance, step.callee("body").instance
        own = self.part(step.callee("body"))
        inputs = self.arguments(self.carries, self.i)
        if self.index is not None and self.i is not None:
            inputs[self.index] = self.i
        parts = [packed([*self.carries.values()], unused=True)]
        parts += [p for p in (self.i, self.state) if p is not None]
        kind = arrays(len(self.carries))
        if len(parts) > 1:
            kinds = [kind, *["Array"] * (self.i is not None)]
            kinds += ["Params"] * (self.state is not None)
            kind = f"tuple[{', '.join(kinds)}]"
        argument: Argument
        lead: list[ast.Assign] = []
        if len(parts) == 1 and len(self.carries) == 1:
            argument = next(iter(self.carries.values())).id, kind, None
        else:
            text = self.names.fresh("carry")
            lead.append(assign(tuple_of(parts), name(text)))
            argument = text, kind, None
        goes = self._goes(test, inputs)
        tests = [*_only(lead, names_in(goes)), ast.Return(goes)]
        now = own if self.state is None else call("merge", [own, self.state])
        value = callee_call(writer, body, now, inputs, {}, cse=True)
        advance = [*lead, *self._advance(value)]
        roles = (("cond", "Array", tests), ("body", kind, advance))
        functions = [
            self.body(r, [argument], k, statements) for r, k, statements in roles
        ]
        first = {n: self.first(n) for n in self.carry}
        start = [packed([*first.values()])]
        if self.i is not None:
            start.append(call("jnp.asarray", [literal(0), dotted("jnp.int32")]))
        if self.state is not None:
            start.append(self.kept(own, body.tree))
        loop = call("jax.lax.while_loop", [*functions, tuple_of(start)])
        self._finish(loop, first)

    def _goes(self, test: Instance, inputs: dict[str, ast.expr]) -> ast.expr:
        """The test of one more step."""
        own = self.part(self.step.callee("cond"))
        goes: ast.expr = callee_call(self.writer, test, own, inputs, {}, cse=True)
        if test.stateful:
            goes = subscript(goes, 0)
        if self.limit is not None and self.i is not None:
            bound = ast.Compare(self.i, [ast.Lt()], [self.limit])
            goes = ast.BinOp(goes, ast.BitAnd(), bound)
        return goes

    def _advance(self, value: ast.expr) -> list[ast.stmt]:
        """A step: the next carry, count and state."""
        alone = self.i is None and self.state is None and not self.plan.returns_dict
        if alone and self.step.outputs == tuple(self.carry):
            return [ast.Return(value)]
        new = None if self.state is None else name(self.names.fresh("new_state"))
        fresh = self.fresh_outputs()
        statement, found = self.unpacked(value, self.carries, fresh, new)
        after = [packed([found[n] for n in self.carry])]
        if self.i is not None:
            after.append(ast.BinOp(self.i, ast.Add(), literal(1)))
        if new is not None:
            after.append(new)
        return [statement, ast.Return(tuple_of(after))]

    def _finish(self, loop: ast.expr, first: dict[str, ast.expr]) -> None:
        writer, step = self.writer, self.step
        targets = dict(zip(step.outputs, writer.locals_of(step), strict=True))
        parts = [packed([name(targets[n]) for n in self.carry], unused=True)]
        after: list[ast.stmt] = []
        if self.i is not None:
            parts.append(name("_"))
        if self.state is not None:
            local = name(writer.fresh(f"{step.name}_state"))
            parts.append(local)
            target, after = writer.state_target(step)
            after = [assign(target, ast.Dict([literal("body")], [local])), *after]
        writer.body += [assign(tuple_of(parts), loop), *after]
        bind_carry(self.writer, targets, first)
        self.bind([name(t) for t in targets.values()])


def _only(lead: list[ast.Assign], used: Set[str]) -> list[ast.stmt]:
    """The unpacking of a carry, with `_` for what is not used."""

    def target(node: ast.expr) -> ast.expr:
        if isinstance(node, ast.Tuple):
            parts = [target(e) for e in node.elts]
            if all(isinstance(p, ast.Name) and p.id == "_" for p in parts):
                return name("_")
            return ast.Tuple(parts)
        return node if isinstance(node, ast.Name) and node.id in used else name("_")

    return [assign(target(s.targets[0]), s.value) for s in lead]
