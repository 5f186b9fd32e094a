"""`jax.vmap` over an axis of xs, parameters stacked or shared."""

from __future__ import annotations

import ast

from ...schema.ops.loops import Map
from ...schema.resolve.program import Step
from ..nodes import call, literal, name, subscript
from ..writer import Writer
from .base import Argument, Loop

EMITS = ("jax.vmap", "jnp.arange")


def write(writer: Writer, step: Step, node: Map) -> None:
    """Writes a `map` node."""
    Mapped(writer, step, node).write()


class Mapped(Loop[Map]):
    """The `jax.vmap` of a map."""

    def write(self) -> None:
        writer, step, node = self.writer, self.step, self.node
        count = None if node.count is None else writer.value(node.count, "int")
        axis = writer.value(node.axis, "int")
        xs = {n: self.sliced(n) for n in self.xs}
        arguments: list[Argument] = []
        actual: list[ast.expr] = []
        axes: list[ast.expr] = []

        def argument(text: str, kind: str, value: ast.expr, over: ast.expr) -> ast.expr:
            local = self.names.fresh(text)
            arguments.append((local, kind, None))
            actual.append(value)
            axes.append(over)
            return name(local)

        own, i = self.own, None
        if count is not None and step.tree:
            own = argument("layer", "Params", own, literal(0))
        if self.keys:
            size = count
            if size is None:
                shape = ast.Attribute(next(iter(xs.values())), "shape")
                size = ast.Subscript(shape, axis)
            i = argument("i", "Array", call("jnp.arange", [size]), literal(0))
        given = {n: argument(n, "Array", value, axis) for n, value in xs.items()}
        body: list[ast.stmt] = [ast.Return(self.call(own, given, i))]
        lane = self.body("lane", arguments, "Any", body)
        keywords: dict[str, ast.expr] = {}
        if getattr(step.op, "axis", 0) != 0:
            keywords["in_axes"] = ast.Tuple(axes)
            out = ast.Tuple([axis, literal(0)]) if step.stateful else axis
            keywords["out_axes"] = out
        if not actual and count is not None:
            keywords["axis_size"] = count
        mapped = call(call("jax.vmap", [lane], keywords), actual)
        if not self.plan.returns_dict:
            writer.statement(step, mapped)
            return
        target = name(writer.fresh(step.name))
        self.bind([subscript(target, o) for o in step.outputs])
        writer.body += writer.unpack(step, [target], mapped)
