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
    annotated,
    assign,
    call,
    function,
    is_read,
    literal,
    name,
    tuple_of,
)
from ..plan import Module, Plan
from .checks import checks
from .counts import keywords_in, uses_of
from .docstring import docstring
from .folding import Pending, Waiting
from .notes import Note
from .onward import formals, step_notes, titles_of
from .op import write_op
from .reads import settle
from .rebind import Locals
from .returned import typed_return, untyped_names
from .runs import rolled
from .signature import casts, signature
from .sizes import Numbers
from .state import State
from .untyped import is_untyped
from .uses import OpUse

Build = Callable[[list[ast.expr]], ast.expr | None]


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
        self.uses = uses_of(plan.steps, list(self.instance.outputs.values()))
        self.state = State(self.fresh, self.instance.tree)
        self.names.taken.update(plan.arguments)
        self.values = {item: [name(item)] for item in self.instance.function.inputs}
        self.untyped |= {n for n, kind in plan.annotations.items() if kind == "Any"}
        self.python = {*plan.numbers}
        """Sources that may be Python numbers."""
        self.locals = Locals(_arguments(plan), self.names.kept)
        self.numbers = Numbers(plan)
        self.formals = formals(plan.steps)

    def write(self) -> ast.FunctionDef:
        if self.plan.stateful:
            self.body.append(annotated("state", "Params", ast.Dict([], [])))
        for step in self.plan.steps:
            self._step(step)
        self._return()
        plan = self.plan
        plan.needed = keywords_in(self.body)
        checked = checks(self.module, plan, self.numbers)
        body = settle(plan, (checked, casts(plan), self.body), self.module.globals)
        outputs = {o: self._local_of(a) for o, a in self.instance.outputs.items()}
        results = {x: o for o, x in outputs.items() if x and plan.returns_dict}
        for o, local in outputs.items():
            if local and (self.instance.name, o) in self.module.carried_on:
                self.locals.go_on(local, o)
        body, names = self.locals.named([*docstring(self.module, plan), *body], results)
        self.module.facts[self.instance.name] = self.locals.facts(outputs, names)
        if not plan.stateful:
            open_ = untyped_names(names, self.untyped, {*self.locals.arguments})
            body = typed_return(body, open_, signature(plan)[2])
        taken = {*self.names.kept, *self.plan.arguments}
        body = body if self.module.layers else rolled(body, taken)
        return function(plan.title, *signature(plan), body)

    # Names and values

    def fresh(self, text: str) -> str:
        """A local name: the graph's, with a trailing `_` where it would shadow."""
        return self.names.fresh(text)

    def locals_of(self, step: Step) -> list[str]:
        """Names for the outputs of a step; `_` for those that nothing uses."""
        titles = titles_of(step, self.instance.function)
        notes = step_notes(step, titles, self.module.facts, self._local_of)
        for i, note in enumerate(notes):
            if not note.names and (formal := self.formals.get((step.name, i))):
                note.names.append(formal)
        if self._is_number(step):
            notes = [Note(names=[title]) for title in titles.values()]
        found = []
        for i, (title, note) in enumerate(zip(titles.values(), notes, strict=True)):
            found.append(self.fresh(title) if i in step.used else "_")
            if i in step.used:
                self.locals.add(found[-1], note)
        return found

    def _is_number(self, step: Step) -> bool:
        """True of a step whose outputs may be Python numbers, as what it takes is."""
        given = [a.source for a in step.arguments() if a.source is not None]
        choose = any if step.callees else all
        found = (
            bool(given) and not step.tree and choose(s in self.python for s in given)
        )
        if found:
            self.python.add(step.name)
        return found

    def _local_of(self, arg: Arg) -> str | None:
        """The local that an operand is, were it written."""
        if arg.source is None or arg.kind == "key":
            return None
        value = self.values[arg.source][arg.output]
        return value.id if isinstance(value, ast.Name) else None

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

        def over(folded: Mapping[str, ast.expr]) -> ast.expr | None:
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
        (target,) = {*self.locals_of(step)} - {"_"}
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

    def params(self, step: Step) -> ast.expr:
        """The part of params that a step has, with what was updated before it."""
        return self.state.params(step)

    def state_target(self, step: Step) -> tuple[ast.expr, list[ast.stmt]]:
        """Where new state goes: a target, and what to do after the assignment."""
        return self.state.target(step)

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

    def assign(self, step: Step, value: ast.expr) -> None:
        """The next value of a node of state, which is one of the function too."""
        self.flush()
        (target,) = self.locals_of(step)
        source = step.operand(step.op.ASSIGNS).source
        assert source is not None
        if target == "_" and step.uses_train and not is_read(value):
            target = self.fresh(source)
        if target != "_":
            self.body.append(assign(target, value))
            if is_untyped(value, self.untyped):
                self.untyped.add(target)
            value = name(target)
        self.values[step.name] = [value]
        stays = assign(target, self.values[source][0]) if step.used else None
        self.body += self.state.assign(step, value, stays)

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

        more = int(self.plan.stateful)
        value = self.combine("", list(outputs.values()), build, more)
        self.flush()
        if more:
            value = ast.Tuple([value, name("state")])
        elif is_untyped(value, self.untyped) and not isinstance(value, ast.Name):
            value = self._named(next(iter(outputs)), value)
        self.body.append(ast.Return(value))

    def _named(self, output: str, value: ast.expr) -> ast.Name:
        """The value that is returned, in a local."""
        local = self.fresh(output)
        found = self._local_of(self.instance.outputs[output])
        edges = self.locals.notes[found].edges if found in self.locals.notes else []
        self.locals.add(
            local, Note([*edges], [output], plain=not self.instance.output_copies)
        )
        self.body.append(assign(local, value))
        if is_untyped(value, self.untyped):
            self.untyped.add(local)
        return name(local)


def _arguments(plan: Plan) -> dict[str, bool]:
    """The arguments of a function, and which of them may get other arrays."""
    inputs = plan.first.function.inputs
    fixed = dict.fromkeys(("params", "train", "dtype", *plan.varying), False)
    return fixed | {
        n: given.is_array and n not in plan.numbers for n, given in inputs.items()
    }
