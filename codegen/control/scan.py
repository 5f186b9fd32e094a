"""`jax.lax.scan`: parameters shared by all steps, or stacked and scanned with the xs."""

from __future__ import annotations

import ast

from ...schema.ops.loops import RepeatScan, Scan
from ...schema.resolve.program import Arg, Step
from ..names import LAYER
from ..nodes import assign, call, dotted, literal, name, subscript
from ..writer import Writer
from . import call as calls
from .base import Argument, Loop, arrays, bind_carry, packed

EMITS = (*calls.EMITS, "jax.lax.scan", "jnp.arange", "jnp.moveaxis")


def write(writer: Writer, step: Step, node: Scan) -> None:
    """Writes a `scan` node."""
    axis = writer.value(node.axis, "int")
    Scanned(writer, step, node, node.length, axis, reverse=node.reverse).write()


class Scanned(Loop[Scan | RepeatScan]):
    """A scan over `length` steps, or as many as the xs have.

    With `stacked` every step has parameters and state of its own, else the state goes
    from step to step.
    """

    def __init__(
        self,
        writer: Writer,
        step: Step,
        node: Scan | RepeatScan,
        length: int | str | None,
        axis: ast.expr,
        *,
        reverse: bool = False,
        stacked: bool = False,
    ) -> None:
        super().__init__(writer, step, node)
        self.length = length
        self.axis = axis
        self.reverse = reverse
        self.stacked = stacked
        self.layered = stacked and bool(step.tree)
        self.moves = getattr(step.op, "axis", 0) != 0
        self.state: ast.Name | None = None
        """The state inside, where it goes from step to step."""

    def write(self) -> None:
        xs = {n: self._moved(n, a) for n, a in self.xs.items()}
        carries = {n: self.names.fresh(n) for n in self.carry}
        slices: dict[str, ast.expr] = {}
        own = self.own
        if self.layered:
            layer = self.names.first_free(*LAYER)
            slices[layer] = own
            own = name(layer)
        given: dict[str, ast.expr] = {n: name(c) for n, c in carries.items()}
        for n, value in xs.items():
            local = self.names.fresh(n)
            slices[local] = value
            given[n] = name(local)
        i: ast.expr | None = None
        if self.uses_index:
            text = self.names.fresh(self.index or "i")
            # Steps that a function sees are int32, whatever jax_enable_x64 is.
            dtype = {"dtype": dotted("jnp.int32")} if self.index is not None else {}
            slices[text] = call("jnp.arange", [self._length(xs)], dtype)
            i = name(text)
        if self.step.stateful and not self.stacked:
            self.state = name(self.names.fresh("state"))
            own = call("merge", [own, self.state])
        lead: list[ast.stmt] = []
        first_argument = self._carried([*carries.values()], lead)
        unused = first_argument[0] == "_"
        arguments = [first_argument, self._sliced([*slices], lead, unused=unused)]
        returned = self._returned(self.call(own, given, i), given, lead)
        body = [*lead, ast.Return(returned)]
        step = self.body("step", arguments, self._type(), body)
        first = {n: self.first(n) for n in self.carry}
        start = packed([*first.values()])
        if self.state is not None:
            start = ast.Tuple([start, self.kept(self.own, self.step.tree)])
        keywords: dict[str, ast.expr] = {}
        known = self.length is not None
        if not slices or (known and not self.layered and i is None):
            keywords["length"] = self._length(xs)
        if self.reverse:
            keywords["reverse"] = literal(True)
        scan = call("jax.lax.scan", [step, start, packed([*slices.values()])], keywords)
        self._finish(scan, first, is_typed=isinstance(step, ast.Name))

    def _type(self) -> str:
        """The type of what the body returns."""
        carry, others = arrays(len(self.carry)), ["Array"] * len(self.others)
        if self.step.stateful and self.stacked:
            others.append("Params")
        elif self.step.stateful:
            carry = f"tuple[{carry}, Params]"
        stacked = others[0] if len(others) == 1 else f"tuple[{', '.join(others)}]"
        return f"tuple[{carry}, {stacked if others else None}]"

    def _moved(self, n: str, arg: Arg) -> ast.expr:
        """An xs with its steps in front."""
        value = self.sliced(n)
        if isinstance(arg.value, tuple):
            return self.array(n, arg, value)
        if not self.moves:
            return value
        target = self.writer.fresh(f"{self.step.name}_{n}")
        moved = call("jnp.moveaxis", [value, self.axis, literal(0)])
        self.writer.body.append(assign(target, moved))
        return name(target)

    def _length(self, xs: dict[str, ast.expr]) -> ast.expr:
        if self.length is not None:
            return self.writer.value(self.length, "int")
        return subscript(ast.Attribute(next(iter(xs.values())), "shape"), 0)

    def _carried(self, names: list[str], lead: list[ast.stmt]) -> Argument:
        """The first argument of the body, and what unpacks it."""
        if self.state is None:
            if len(names) < 2:
                return (names[0], "Array", None) if names else ("_", "None", None)
            target: ast.expr = packed([name(n) for n in names])
        else:
            parts = packed([name(n) for n in names], unused=True)
            target = ast.Tuple([parts, self.state])
        text = self.names.fresh("carry")
        lead.append(assign(target, name(text)))
        kind = arrays(len(names))
        return text, kind if self.state is None else f"tuple[{kind}, Params]", None

    def _sliced(
        self, names: list[str], lead: list[ast.stmt], *, unused: bool
    ) -> Argument:
        """The second argument of the body, and what unpacks it; `unused`: that `_` is
        the first one.
        """
        if not names:
            return "_xs" if unused else "_", "None", None
        if len(names) == 1:
            return names[0], "Params" if self.layered else "Array", None
        text = self.names.fresh("xs")
        lead.append(assign(packed([name(n) for n in names]), name(text)))
        kinds = ["Params" if self.layered else "Array", *["Array"] * (len(names) - 1)]
        return text, f"tuple[{', '.join(kinds)}]", None

    def _returned(
        self, value: ast.expr, given: dict[str, ast.expr], lead: list[ast.stmt]
    ) -> ast.expr:
        """What the body returns: the next carry, and what is stacked."""
        stateful = self.step.stateful
        only_carry = self.step.outputs == tuple(self.carry)
        if not self.plan.returns_dict:
            # What jax.checkpoint gives has no type, and is unpacked.
            is_typed = getattr(self.node, "remat", None) is None
            if only_carry and stateful and self.stacked and is_typed:
                return value  # (carry, state)
            if only_carry and not stateful:
                return ast.Tuple([value, ast.Constant(None)])
            pair = self.step.outputs == (*self.carry, *self.others)
            if (
                pair
                and is_typed
                and not stateful
                and len(self.carry) == len(self.others) == 1
            ):
                return value
        fresh = self.fresh_outputs()
        state = name(self.names.fresh("new_state")) if stateful else None
        statement, found = self.unpacked(value, given, fresh, state)
        lead.append(statement)
        carry, others = (
            packed([found[n] for n in self.carry]),
            [found[o] for o in self.others],
        )
        if state is not None and self.stacked:
            others.append(state)
        elif state is not None:
            carry = ast.Tuple([carry, state])
        return ast.Tuple([carry, packed(others)])

    def _finish(
        self, scan: ast.expr, first: dict[str, ast.expr], *, is_typed: bool
    ) -> None:
        writer, step = self.writer, self.step
        targets = dict(zip(step.outputs, writer.locals_of(step), strict=True))
        carried = packed([name(targets[n]) for n in self.carry], unused=True)
        others: list[ast.expr] = [name(targets[o]) for o in self.others]
        after: list[ast.stmt] = []
        if step.stateful:
            state, after = writer.state_target(step)
            if self.stacked:
                others.append(state)
            else:
                carried = ast.Tuple([carried, state])
        target = ast.Tuple([carried, packed(others, unused=True)])
        writer.body += [assign(target, scan), *after]
        if not is_typed:
            bind_carry(self.writer, targets, first)
        for o in (targets[o] for o in self.others if targets[o] != "_"):
            if self.moves:
                moved = call("jnp.moveaxis", [name(o), literal(0), self.axis])
                writer.body.append(assign(o, moved))
            if not is_typed:
                writer.untyped.add(o)
        self.bind([name(t) for t in targets.values()])
