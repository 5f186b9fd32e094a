"""An unrolled repeat: a `for` over the copies, and what each of them has."""

from __future__ import annotations

import ast

from ...schema.ops.loops import RepeatList
from ...schema.resolve.program import Step
from ..names import LAYER
from ..nodes import annotated, assign, call, literal, name
from ..writer import Writer
from . import call as calls
from .base import Loop, bind_carry, no_copies

EMITS = (
    *calls.EMITS,
    "jnp.stack",
    "outputs.append",
    "enumerate",
    "list",
    "range",
    "zip",
)


def write(writer: Writer, step: Step, node: RepeatList) -> None:
    """Writes a `repeat` node without `scan`."""
    if step.callee().declared.empty:
        no_copies(writer, step)
    else:
        Unrolled(writer, step, node).write()


class Unrolled(Loop[RepeatList]):
    """The `for` of an unrolled repeat."""

    def write(self) -> None:
        writer, step, node = self.writer, self.step, self.node
        xs = {n: self._named(n) for n in self.xs}
        targets = dict(zip(step.outputs, writer.locals_of(step), strict=True))
        first = {n: self.first(n) for n in self.carry}
        for n, value in first.items():
            if targets[n] == "_":  # the next copy uses it even where nothing else does
                targets[n] = writer.fresh(f"{step.name}_{n}")
            writer.body.append(assign(targets[n], value))
        bind_carry(self.writer, targets, first)
        lists = {
            o: targets[o] if o in node.listed else writer.fresh(f"{step.name}_{o}_list")
            for o in self.others
            if targets[o] != "_"
        }
        for text in lists.values():
            writer.body.append(annotated(text, "list[Array]", ast.List([])))
        states, after = self._states()
        if node.shared and states is not None:
            self.own = call("merge", [self.own, states])
        self._loop(targets, xs, lists, states)
        for o in (o for o in lists if o not in node.listed):
            stacked = call("jnp.stack", [name(lists[o])])
            writer.body.append(assign(targets[o], stacked))
        writer.body += after
        self.bind([name(t) for t in targets.values()])

    def _states(self) -> tuple[ast.expr | None, list[ast.stmt]]:
        """Where the copies' states go, and what to do after the last one: a list of
        them, or a local that goes from copy to copy.
        """
        writer, step = self.writer, self.step
        if not step.stateful:
            return None, []
        target, after = writer.state_target(step)
        if self.node.shared:
            local = name(writer.fresh(f"{step.name}_state"))
            writer.body.append(annotated(local.id, "Params", ast.Dict([], [])))
            return local, [assign(target, local), *after]
        if isinstance(target, ast.Name):
            writer.body.append(annotated(target.id, "list[Params]", ast.List([])))
        else:
            writer.body.append(assign(target, ast.List([])))
        return target, after

    def _named(self, n: str) -> ast.expr:
        value = self.sliced(n)
        if isinstance(value, ast.Name):
            return value
        target = self.writer.fresh(f"{self.step.name}_{n}")
        self.writer.body.append(assign(target, value))
        return name(target)

    def _loop(
        self,
        targets: dict[str, str],
        xs: dict[str, ast.expr],
        lists: dict[str, str],
        states: ast.expr | None,
    ) -> None:
        writer, step = self.writer, self.step
        cycles = {
            n: v
            for n, v in self.node.attributes.items()
            if isinstance(v, list) and n in self.plan.needed and n in self.plan.varying
        }
        rows = {n: value for n, value in xs.items() if self._is_list(n)}
        counted = self.uses_index or len(rows) < len(xs) or bool(cycles)
        i = name(writer.names.variable("i")) if counted else None
        listed = step.tree and not self.node.shared
        layer = name(writer.names.variable(*LAYER)) if listed else None
        for n, values in cycles.items():
            assert i is not None
            chosen = ast.BinOp(i, ast.Mod(), literal(len(values)))
            self.attributes[n] = ast.Subscript(writer.value(values), chosen)
        given: dict[str, ast.expr] = {n: name(targets[n]) for n in self.carry}
        over: list[tuple[ast.expr, ast.expr]] = []
        if layer is not None:
            over.append((layer, self.own))
        for n, value in xs.items():
            if n in rows:
                item = name(writer.names.fresh(f"layer_{n}"))
                over.append((item, value))
                given[n] = item
            else:
                assert i is not None
                given[n] = ast.Subscript(value, i)
        own = layer or (self.own if step.tree else ast.Dict([], []))
        body = self._body(
            self.call(own, given, i, cse=True), targets, given, lists, states
        )
        writer.body.append(ast.For(*self._steps(i, over), body, []))

    def _is_list(self, n: str) -> bool:
        """True of xs that are a list, rather than slices of an array."""
        return n in self.xs and self.xs[n].kind == "list"

    def _steps(
        self, i: ast.Name | None, over: list[tuple[ast.expr, ast.expr]]
    ) -> tuple[ast.expr, ast.expr]:
        """The target and the iterable of the `for`, over all lists that it goes through."""
        if not over:
            count = self.writer.value(self.node.count, "int")
            return i or name("_"), call("range", [count])
        target, rows = over[0]
        if len(over) > 1:
            target = ast.Tuple([item for item, _ in over])
            rows = call("zip", [row for _, row in over], {"strict": literal(True)})
        if i is None:
            return target, rows
        return ast.Tuple([i, target]), call("enumerate", [rows])

    def _body(
        self,
        value: ast.expr,
        targets: dict[str, str],
        given: dict[str, ast.expr],
        lists: dict[str, str],
        states: ast.expr | None,
    ) -> list[ast.stmt]:
        names = self.writer.names
        state = states
        if states is not None and not self.node.shared:
            state = name(names.variable("layer_state"))
        fresh = {o: names.fresh(o) if o in lists else "_" for o in self.others}
        # The next one of a list takes the name of that which it is made of.
        fresh |= {o: o for o in lists if self._is_list(o)}
        if self.plan.returns_dict:
            fresh["out"] = names.variable("out")
        statement, found = self.unpacked(value, given, fresh, state)
        body = [statement]
        for n in self.carry:
            if found[n] is not given[n]:
                body.append(assign(targets[n], found[n]))
        for o, text in lists.items():
            number = o in self.node.listed and o in self.plan.python
            item = call("jnp.asarray", [found[o]]) if number else found[o]
            body.append(ast.Expr(call(f"{text}.append", [item])))
        if state is not None and states is not None and state is not states:
            body.append(ast.Expr(call(ast.Attribute(states, "append"), [state])))
        return body
