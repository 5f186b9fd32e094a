"""`jax.vmap` over an axis of xs, parameters stacked or shared."""

from __future__ import annotations

import ast

from ...schema.ops.loops import Map
from ...schema.resolve.program import Step
from ..emit.signature import signature
from ..names import LAYER
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

        def argument(
            local: str, kind: str, value: ast.expr, over: ast.expr
        ) -> ast.expr:
            arguments.append((local, kind, None))
            actual.append(value)
            axes.append(over)
            return name(local)

        own, i = self.own, None
        if count is not None and step.tree:
            own = argument(self.names.first_free(*LAYER), "Params", own, literal(0))
        if self.keys:
            size = count
            if size is None:
                shape = ast.Attribute(next(iter(xs.values())), "shape")
                size = ast.Subscript(shape, axis)
            i = argument(
                self.names.fresh("i"), "Array", call("jnp.arange", [size]), literal(0)
            )
        given = {
            n: argument(self.names.fresh(n), "Array", value, axis)
            for n, value in xs.items()
        }
        value = self.call(own, given, i)
        keywords: dict[str, ast.expr] = {}
        moved = getattr(step.op, "axis", 0) != 0
        places = _places([n for n, _, _ in arguments], value)
        shared = places is not None and any(p is None for p in places.values())
        if places is not None and isinstance(value, ast.Call):
            lane = value.func  # the function itself
            taken = [(places[a], a) for a in value.args]
            actual = [a if p is None else actual[p] for p, a in taken]
            axes = [literal(None) if p is None else axes[p] for p, _ in taken]
        else:
            body: list[ast.stmt] = [ast.Return(value)]
            lane = self.body("lane", arguments, signature(self.plan)[2], body)
        if moved or shared:
            keywords["in_axes"] = ast.Tuple(axes)
        if moved:
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


def _places(lanes: list[str], value: ast.expr) -> dict[ast.expr, int | None] | None:
    """The number of the lane that each argument of `f(a, x)` is, None for what all
    lanes share; no dict where `f` takes more than arrays.
    """
    match value:
        case ast.Call(func=ast.Name(), args=args, keywords=[]) if lanes:
            if not all(isinstance(a, ast.Name | ast.Constant) for a in args):
                return None
            names = [a.id if isinstance(a, ast.Name) else "" for a in args]
            if sorted(n for n in names if n in lanes) != sorted(lanes):
                return None
            places = [lanes.index(n) if n in lanes else None for n in names]
            return dict(zip(args, places, strict=True))
    return None
