"""One function: its steps as statements, single-use values folded where order allows."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from ...schema.op import ScopeOp
from ...schema.resolve.program import Arg, Step
from ..control import control
from ..names import AMBIGUOUS, Names
from ..nodes import (
    Keyword,
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
from ..plan import Module, Plan, state_leaves
from .folding import Pending, Waiting
from .op import write_op
from .signature import checks, docstring, signature
from .sizes import Numbers
from .untyped import is_untyped
from .uses import OpUse

Build = Callable[[list[ast.expr]], ast.expr]


class FunctionWriter:
    """Writes the `def` of one function of the Graph."""

    def __init__(
        self, module: Module, plan: Plan, op_uses: Mapping[str, OpUse]
    ) -> None:
        self.module = module
        self.plan = plan
        self.op_uses = op_uses
        self.instance = plan.first
        self.body: list[ast.stmt] = []
        self.pending = Pending()
        self.values: dict[str, list[ast.expr]]
        self.names = Names(module.globals | AMBIGUOUS)
        self.untyped = {"params", "state"}
        """Locals that type checkers know nothing of."""
        self.uses = _uses(plan.steps, list(self.instance.outputs.values()))
        self.written: list[tuple[str, ...]] = []
        """The paths of the arrays of `state` so far."""
        self.names.taken.update(plan.arguments)
        self.values = {item: [name(item)] for item in self.instance.function.inputs}
        self.untyped |= plan.numbers
        self.numbers = Numbers(plan)

    def write(self) -> ast.FunctionDef:
        if self.plan.stateful:
            self.body.append(annotated("state", "Params", ast.Dict([], [])))
        for step in self.plan.steps:
            self._step(step)
        self._return()
        self.plan.needed = _keywords(self.body)
        arguments, keywords, returns = signature(self.plan)
        lead = [
            *docstring(self.plan),
            *checks(self.module, self.plan, self.numbers),
        ]
        return function(
            self.plan.title, arguments, keywords, returns, [*lead, *self.body]
        )

    # Names and values

    def fresh(self, text: str) -> str:
        """A local name: the graph's, with a trailing `_` where it would shadow."""
        return self.names.fresh(text)

    def locals_of(self, step: Step) -> list[str]:
        """Names for the outputs of a step; `_` for those that nothing uses."""
        used = step.used
        if len(step.outputs) == 1:
            return [self.fresh(step.name) if used else "_"]
        others = {*self.instance.function.nodes, *self.instance.function.inputs}
        plain = not isinstance(step.op, ScopeOp) and not others & set(step.outputs)
        return [
            "_" if i not in used else self.fresh(o if plain else f"{step.name}_{o}")
            for i, o in enumerate(step.outputs)
        ]

    def value(self, value: Any, kind: Literal["int", "float"] = "float") -> ast.expr:
        """An attribute, number or expression of the spec as source, or a list of them."""
        return self.numbers.value(value, kind)

    def number(self, arg: Arg) -> ast.expr:
        """A number, or an expression that is one."""
        return self.value(arg.value if arg.text is None else arg.text)

    def dtype(self, text: str) -> ast.expr:
        """A dtype; the model's floating type is read off an array, or handed on."""
        return self.plan.dtype(text)

    def atom(self, arg: Arg, part: str = "") -> ast.expr:
        """An argument as a name or a number; what it waits for is written first."""
        if arg.source is None:
            return self.number(arg)
        self._write(self.pending.through(arg.source))
        value = self.values[arg.source][arg.output]
        if arg.kind == "key" and part:
            return call("fold_in", [value, literal(part)])
        return value

    # Values that wait

    def combine(
        self, part: str, args: Sequence[Arg], build: Build, more: int = 0
    ) -> ast.expr:
        """`build` over the arguments, folded as far as order and structure allow;
        `more` is what stands beside it.
        """

        def over(folded: Mapping[str, ast.expr]) -> ast.expr:
            return build([self._operand(a, folded, part) for a in args])

        sources = [
            None if arg.kind == "key" else arg.source
            for arg in args
            if arg.source is not None
        ]
        built, before = self.pending.fold(sources, over, more)
        self._write(before)
        return built

    def _operand(self, arg: Arg, folded: Mapping[str, ast.expr], part: str) -> ast.expr:
        if arg.source is None:
            return self.number(arg)
        if arg.source in folded:
            return folded[arg.source]
        value = self.values[arg.source][arg.output]
        return call("fold_in", [value, literal(part)]) if arg.kind == "key" else value

    def wait(self, step: Step, value: ast.expr) -> None:
        """Lets a value wait for its use, or writes it where there are several."""
        target = self.fresh(step.name)
        self.values[step.name] = [name(target)]
        self.pending.push(step.name, target, value)
        if self.uses.get(step.name, 0) != 1:
            self.flush()

    def flush(self) -> None:
        """Writes all that waits."""
        self._write(self.pending.all())

    def _write(self, values: Iterable[Waiting]) -> None:
        for waiting in values:
            self.body.append(waiting.statement())
            if is_untyped(waiting.value, self.untyped):
                self.untyped.add(waiting.target)

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
        if isinstance(step.op, ScopeOp):
            node = self.instance.function.nodes[step.name]
            control(type(step.op))(self, step, node)
        else:
            write_op(self, step, self.op_uses[step.name])

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
            if self.plan.is_entry:
                values = [
                    call("jnp.asarray", [v]) if o in self.plan.python else v
                    for o, v in zip(outputs, values, strict=True)
                ]
            if as_dict:
                return ast.Dict([literal(k) for k in outputs], values)
            return tuple_of(values)

        value = self.combine("", list(outputs.values()), build, int(self.plan.stateful))
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


def _keywords(body: Sequence[ast.stmt]) -> set[str]:
    """The attributes of a function that its body speaks of."""
    return {
        node.id
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, Keyword)
    }


def _uses(steps: Sequence[Step], outputs: Sequence[Arg]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for arg in (*(a for s in steps for a in s.arguments()), *outputs):
        if arg.source is not None:
            counts[arg.source] = counts.get(arg.source, 0) + 1
    return counts
