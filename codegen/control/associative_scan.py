"""`jax.lax.associative_scan` of a function over two elements, vmapped over many."""

from __future__ import annotations

import ast

from ...schema.ops.loops import AssociativeScan
from ...schema.resolve.program import Step
from ..emit.signature import signature
from ..nodes import call, lambda_of, literal, name, tuple_of
from ..writer import Writer
from .base import Loop

EMITS = ("jax.lax.associative_scan", "jax.vmap", "x.ndim")


def write(writer: Writer, step: Step, node: AssociativeScan) -> None:
    """Writes an `associative_scan` node."""
    Combined(writer, step, node).write()


class Combined(Loop[AssociativeScan]):
    """The function of two elements, and the scan."""

    def write(self) -> None:
        writer, step, node = self.writer, self.step, self.node
        axis = writer.value(node.axis, "int")
        moved = getattr(step.op, "axis", 0) != 0
        elements = [self.sliced(n) for n in self.xs]
        inputs = [*self.xs, *(node.right[n] for n in self.xs)]
        local = {n: self.names.fresh(n) for n in inputs}
        combine = self.body(
            "combine",
            [(local[n], "Array", None) for n in inputs],
            signature(self.plan)[2],
            self._combined({n: name(local[n]) for n in inputs}),
        )
        axes = {"in_axes": axis, "out_axes": axis} if moved else {}
        many: ast.expr = call("jax.vmap", [combine], axes)
        if len(elements) > 1:
            sides = [self.names.fresh(n) for n in ("left", "right")]
            spread: list[ast.expr] = [ast.Starred(name(s)) for s in sides]
            many = lambda_of(sides, call(many, spread))
        at = getattr(step.op, "axis", 0)
        if node.reverse and isinstance(at, int) and at < 0:
            # JAX turns axes that count from the front.
            axis = ast.BinOp(
                ast.Attribute(elements[0], "ndim"), ast.Sub(), literal(-at)
            )
        keywords: dict[str, ast.expr] = (
            {"reverse": literal(True)} if node.reverse else {}
        )
        keywords |= {"axis": axis} if moved else {}
        scan = call("jax.lax.associative_scan", [many, tuple_of(elements)], keywords)
        targets = dict(zip(step.outputs, writer.locals_of(step), strict=True))
        given: list[ast.expr] = [name(targets[n]) for n in self.xs]
        writer.body.append(ast.Assign([tuple_of(given)], scan))
        writer.untyped |= {*targets.values()} - {"_"}
        self.bind([name(t) for t in targets.values()])

    def _combined(self, given: dict[str, ast.expr]) -> list[ast.stmt]:
        """What makes one element of two, in the order of xs."""
        value = self.call(self.own, given, None)
        if not self.plan.returns_dict and self.step.outputs == tuple(self.xs):
            return [ast.Return(value)]
        statement, found = self.unpacked(value, {}, self.fresh_outputs(), None)
        return [statement, ast.Return(tuple_of([found[n] for n in self.xs]))]
