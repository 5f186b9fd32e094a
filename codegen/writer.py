"""One function: its steps as statements, single-use values folded where order allows."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any

from ..schema.expressions import evaluate, names, parse
from ..schema.fields import is_expression
from ..schema.op import ScopeOp
from ..schema.program import Arg, Step
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
from .plan import Module, Plan
from .printer import expression

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
        self.taken: set[str] = set()
        self.used = self.instance.used_outputs()
        self.uses = _uses(
            self.instance.live_steps, list(self.instance.outputs.values())
        )
        self.written: list[tuple[str, ...]] = []

    def write(self) -> ast.FunctionDef:
        from .signature import checks, docstring, signature

        for item in self.instance.function.inputs:
            self.values[item] = [name(self.fresh(item))]
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
        while text in self.module.globals or text in self.taken:
            text += "_"
        self.taken.add(text)
        return text

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
                    return name(text)
                source, axis = self.instance.dims[text]
                shape = ast.Attribute(self.values[source][0], "shape")
                return subscript(shape, axis)
            case ast.BinOp(left=left, op=op, right=right):
                return ast.BinOp(self._expression(left), op, self._expression(right))
            case ast.UnaryOp(op=op, operand=operand):
                return ast.UnaryOp(op, self._expression(operand))
        return tree

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
            if folded == 0 or lead + len(expression(built)) <= WIDTH:
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
        """The part of params that a step has."""
        if step.merges:
            stored = subscript(name("params"), *step.scope)
            return call("merge", [stored, subscript(name("state"), *step.scope)])
        return subscript(name("params"), *step.scope)

    def state_target(self, step: Step) -> tuple[ast.expr, list[ast.stmt]]:
        """Where new state goes: a target, and what to do after the assignment."""
        scope = step.scope
        overlaps = any(
            w[: len(scope)] == scope or scope[: len(w)] == w for w in self.written
        )
        nested = len(scope) != 1
        self.written.append(scope)
        if not overlaps and not nested:
            return subscript(name("state"), *scope), []
        local = name(self.fresh(f"{step.name}_state"))
        new: ast.expr = local
        for part in reversed(scope):
            new = ast.Dict([literal(part)], [new])
        return local, [assign("state", call("merge", [name("state"), new]))]

    # Steps

    def _step(self, step: Step) -> None:
        from .calls import write_call
        from .loops import write_control
        from .ops import write_op

        if not isinstance(step.op, ScopeOp):
            write_op(self, step)
        elif step.op.op == "call":
            write_call(self, step)
        else:
            self.flush()
            write_control(self, step)

    def statement(self, step: Step, value: ast.expr) -> None:
        """A value with state or several parts as a line of its own."""
        self.flush()
        targets = self.locals_of(step)
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
        elif _is_untyped(value, self.plan.numbers):
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


def _is_untyped(value: ast.expr, numbers: Set[str]) -> bool:
    """What type checkers know as Any: parameters, numbers, jitted functions of jax.nn."""
    match value:
        case ast.Subscript() | ast.Attribute():
            return True
        case ast.Name(id=text):
            return text in numbers
        case ast.BinOp(left=left, right=right):
            return _is_untyped(left, numbers) or _is_untyped(right, numbers)
        case ast.Compare(left=left, comparators=[right]):
            return _is_untyped(left, numbers) or _is_untyped(right, numbers)
        case ast.UnaryOp(operand=operand):
            return _is_untyped(operand, numbers)
        case ast.Call(func=ast.Attribute() as function):
            text = expression(function)
            return text.startswith(("jax.nn.", "jax.lax.cond")) or "[" in text
    return False
