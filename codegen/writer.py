"""One function: its steps as statements, single-use values folded where order allows."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..schema.expressions import evaluate, names, parse
from ..schema.fields import is_expression
from ..schema.op import ScopeOp
from ..schema.program import Arg, Step
from .control import write_control
from .names import Names
from .nodes import (
    annotated,
    assign,
    call,
    dotted,
    function,
    literal,
    name,
    subscript,
    tuple_of,
)
from .ops import write_op
from .plan import Module, Plan, dtype_node, state_leaves
from .printer import expression
from .signature import checks, docstring, signature
from .untyped import is_untyped

WIDTH = 88

Build = Callable[[list[ast.expr]], ast.expr]


@dataclass
class Pending:
    """A value that waits for its one use, to stand there instead of in a line of its own."""

    step: Step
    target: str
    value: ast.expr


class FunctionWriter:
    """Writes the `def` of one function of the Graph."""

    def __init__(self, module: Module, plan: Plan) -> None:
        self.module = module
        self.plan = plan
        self.instance = plan.first
        self.body: list[ast.stmt] = []
        self.pending: list[Pending] = []
        self.values: dict[str, list[ast.expr]] = {}
        self.names = Names(module.globals)
        self.untyped = {"params", "state"}
        """Locals that type checkers know nothing of."""
        self.used = self.instance.used_outputs()
        self.uses = _uses(
            self.instance.live_steps, list(self.instance.outputs.values())
        )
        self.written: list[tuple[str, ...]] = []
        """The paths of the arrays of `state` so far."""

    def write(self) -> ast.FunctionDef:
        for item in self.instance.function.inputs:
            local = self.fresh(item)
            self.values[item] = [name(local)]
            if item in self.plan.numbers:
                self.untyped.add(local)
        self.attributes = {n: self.fresh(n) for n in self.plan.varying}
        if self.plan.stateful:
            self.body.append(annotated("state", "Params", ast.Dict([], [])))
        for step in self.instance.live_steps:
            self._step(step)
        self._return()
        arguments, keywords, returns = signature(self)
        lead = [*docstring(self), *checks(self)]
        return function(
            self.plan.title, arguments, keywords, returns, [*lead, *self.body]
        )

    # Names and values

    def fresh(self, text: str) -> str:
        """A local name: the graph's, with a trailing `_` where it would shadow."""
        return self.names.fresh(text)

    def locals_of(self, step: Step) -> list[str]:
        """Names for the outputs of a step; `_` for those that nothing uses."""
        used = self.used.get(step.name, set())
        if len(step.outputs) == 1:
            return [self.fresh(step.name) if used else "_"]
        others = {*self.instance.function.nodes, *self.instance.function.inputs}
        plain = not isinstance(step.op, ScopeOp) and not others & set(step.outputs)
        return [
            "_" if i not in used else self.fresh(o if plain else f"{step.name}_{o}")
            for i, o in enumerate(step.outputs)
        ]

    def value(self, value: Any, kind: Any = "float") -> ast.expr:
        """An attribute, number or expression of the spec as source."""
        if isinstance(value, (list, tuple)):
            return ast.Tuple([self.value(v, kind) for v in value])
        if not is_expression(value):
            return literal(value)
        known = self.plan.uniform
        if all(n in known for n in names(value)):
            return literal(evaluate(value, known, kind))
        return self._expression(parse(value))

    def number(self, arg: Arg) -> ast.expr:
        """A number, an expression that is one, or a literal list of them."""
        return self.value(arg.value if arg.text is None else arg.text)

    def _expression(self, tree: ast.expr) -> ast.expr:
        match tree:
            case ast.Name(id=text):
                if text in self.plan.uniform:
                    return literal(self.plan.uniform[text])
                if text in self.plan.varying:
                    self.plan.needed.add(text)
                    return name(self.attributes[text])
                source, axis = self.instance.dims[text]
                shape = ast.Attribute(self.values[source][0], "shape")
                return subscript(shape, axis)
            case ast.BinOp(left=left, op=op, right=right):
                return ast.BinOp(self._expression(left), op, self._expression(right))
            case ast.UnaryOp(op=op, operand=operand):
                return ast.UnaryOp(op, self._expression(operand))
        return tree

    def dtype(self, text: str) -> ast.expr:
        """A dtype; the model's floating type is read off an array, or handed on."""
        if text != "float":
            return dtype_node(text)
        if self.plan.is_entry:
            return self.module.float_dtype(self.instance)
        return name("dtype")

    def atom(self, arg: Arg, part: str = "") -> ast.expr:
        """An argument as a name or a number; what it waits for is written first."""
        if arg.source is None:
            return self.value(
                list(arg.value) if isinstance(arg.value, tuple) else arg.value
            )
        self.flush_through(arg.source)
        value = self.values[arg.source][arg.output]
        if arg.kind == "key" and part:
            return call("fold_in", [value, literal(part)])
        return value

    # Folding: the pending values are a stack. An operand may take its place in an
    # expression only if what is pending above it is taken by later operands, in order:
    # then the source computes in the order of the spec.

    def combine(
        self, part: str, args: Sequence[Arg], build: Build, lead: int
    ) -> ast.expr:
        """`build` over the arguments' sources, folded as far as the line's width allows."""
        waiting: list[str] = []
        for arg in args:
            if arg.kind == "key" and arg.source is not None:
                waiting.append("")
            elif arg.source is not None and self._is_pending(arg.source):
                waiting.append(arg.source)
        while waiting and waiting[-1] == "":
            waiting.pop()
        depth = 0
        tail = [p.step.name for p in self.pending]
        while (
            depth < min(len(waiting), len(tail))
            and waiting[-1 - depth] == tail[-1 - depth]
        ):
            depth += 1
        for folded in range(depth, -1, -1):
            chosen = set(waiting[len(waiting) - folded :]) if folded else set()
            built = build([self._operand(a, chosen, part) for a in args])
            fits = lead + len(expression(built)) <= WIDTH
            if folded == 0 or (fits and not _has_two_signs(built)):
                break
        stay = {p.step.name for p in self.pending if p.step.name not in chosen}
        blocked = [a.source for a in args if a.source in stay]
        if blocked:
            last = max(i for i, p in enumerate(self.pending) if p.step.name in blocked)
            self._flush(last + 1)
        self.pending = [p for p in self.pending if p.step.name not in chosen]
        return built

    def _operand(self, arg: Arg, chosen: set[str], part: str) -> ast.expr:
        if arg.source is None:
            return self.number(arg)
        if arg.source in chosen:
            return next(p.value for p in self.pending if p.step.name == arg.source)
        value = self.values[arg.source][arg.output]
        return call("fold_in", [value, literal(part)]) if arg.kind == "key" else value

    def _is_pending(self, source: str) -> bool:
        return any(p.step.name == source for p in self.pending)

    def wait(self, step: Step, value: ast.expr) -> None:
        """Lets a value wait for its use, or writes it where there are several."""
        target = self.fresh(step.name)
        self.values[step.name] = [name(target)]
        self.pending.append(Pending(step, target, value))
        if self.uses.get(step.name, 0) != 1 or self._width(target, value) > WIDTH:
            self._flush(len(self.pending))

    def _width(self, target: str, value: ast.expr) -> int:
        return 7 + len(target) + len(expression(value))

    def _flush(self, count: int) -> None:
        for p in self.pending[:count]:
            self.body.append(assign(p.target, p.value))
            if is_untyped(p.value, self.untyped):
                self.untyped.add(p.target)
        self.pending = self.pending[count:]

    def flush_through(self, source: str) -> None:
        for i, p in enumerate(self.pending):
            if p.step.name == source:
                self._flush(i + 1)
                return

    def flush(self) -> None:
        self._flush(len(self.pending))

    # Parameters and state

    def params(self, step: Step) -> ast.expr:
        """The part of params that a step has, with what was updated before it."""
        own = subscript(name("params"), *step.scope)
        depth = len(step.scope)
        if step.merges and any(w[:depth] == step.scope for w in self.written):
            return call("merge", [own, subscript(name("state"), *step.scope)])
        return own

    def state_target(self, step: Step) -> tuple[ast.expr, list[ast.stmt]]:
        """Where new state goes: a target, and what to do after the assignment."""
        scope = step.scope
        paths = [(*scope, *p.split(".")) for p in state_leaves(step.tree)]
        overlaps = any(w[: len(scope)] == scope for w in self.written)
        self.written += paths
        if len(scope) == 1 and not overlaps:
            return subscript(name("state"), *scope), []
        local = name(self.fresh(f"{step.name}_state"))
        new: ast.expr = local
        for part in reversed(scope):
            new = ast.Dict([literal(part)], [new])
        return local, [assign("state", call("merge", [name("state"), new]))]

    # Steps

    def _step(self, step: Step) -> None:
        write = write_control if isinstance(step.op, ScopeOp) else write_op
        write(self, step)

    def statement(self, step: Step, value: ast.expr) -> None:
        """A value with state or several parts as a line of its own."""
        self.flush()
        targets = self.locals_of(step)
        if is_untyped(value, self.untyped):
            self.untyped.update(targets)
        self.values[step.name] = [name(t) for t in targets]
        self.body += self.unpack(step, [name(t) for t in targets], value)

    def unpack(
        self, step: Step, targets: list[ast.expr], value: ast.expr
    ) -> list[ast.stmt]:
        target = tuple_of(targets)
        if not step.stateful:
            return [assign(target, value)]
        state, after = self.state_target(step)
        return [assign(ast.Tuple([target, state]), value), *after]

    def _return(self) -> None:
        outputs = self.instance.outputs
        as_dict = self.plan.returns_dict

        def build(values: list[ast.expr]) -> ast.expr:
            if as_dict:
                return ast.Dict([literal(k) for k in outputs], values)
            return tuple_of(values)

        value = self.combine("", list(outputs.values()), build, 11)
        self.flush()
        if self.plan.stateful:
            value = ast.Tuple([value, name("state")])
        elif is_untyped(value, self.untyped):
            text = self.fresh(next(iter(outputs)))
            self.body.append(
                ast.AnnAssign(name(text), dotted("Array"), value, simple=1)
            )
            value = name(text)
        self.body.append(ast.Return(value))


def _uses(steps: Sequence[Step], outputs: Sequence[Arg]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for arg in (*(a for s in steps for a in s.arguments()), *outputs):
        if arg.source is not None:
            counts[arg.source] = counts.get(arg.source, 0) + 1
    return counts


def _has_two_signs(value: ast.expr) -> bool:
    """`--x`, which readers and linters take for a decrement."""
    return any(
        isinstance(n, ast.UnaryOp) and isinstance(n.operand, ast.UnaryOp)
        for n in ast.walk(value)
    )
