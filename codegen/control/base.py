"""What loops and branches share: a callee, a carry, xs, inputs that stay, keys."""

from __future__ import annotations

import ast
from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...schema.expressions import ExpressionError, evaluate
from ...schema.fields import is_expression
from ...schema.resolve.program import Arg, Instance, Step, Tree, literal_dtype
from ..emit.untyped import is_untyped
from ..nodes import (
    assign,
    call,
    function,
    lambda_of,
    literal,
    name,
    names_in,
    subscript,
    tuple_of,
)
from ..plan import Plan, state_leaves
from ..printer import render
from .call import callee_attributes, callee_call

if TYPE_CHECKING:
    from ..emit.function import FunctionWriter

Argument = tuple[str, str, ast.expr | None]
LAMBDA = 60
"""A body of more columns is a `def`."""


class Loop:
    """One node that runs functions: what its code is made of, and how it is called."""

    def __init__(self, writer: FunctionWriter, step: Step) -> None:
        self.writer = writer
        self.step = step
        self.node: Any = writer.instance.function.nodes[step.name]
        self.carry: dict[str, Arg] = step.args.get("carry", {})
        self.xs: dict[str, Arg] = step.args.get("xs", {})
        self.inputs: dict[str, Arg] = step.args.get("inputs", {})
        self.keys = [n for n, a in self.inputs.items() if a.kind == "key"]
        self.index: str | None = getattr(self.node, "index", None)
        self.others = [o for o in step.outputs if o not in self.carry]
        self.own = writer.params(step)
        self.fixed = {n: self._outside(n, arg) for n, arg in self.inputs.items()}
        self.attributes: dict[str, ast.expr] = {}
        if step.callees:
            self.attributes = callee_attributes(writer, step, self.plan)
        used = (*self.fixed.values(), *self.attributes.values(), self.own)
        self.names = writer.names.inside(set().union(*map(names_in, used)))
        """Names inside: they may hide those outside that the body doesn't need."""

    @property
    def callee(self) -> Instance:
        return self.step.callees[-1]

    @property
    def plan(self) -> Plan:
        return self.writer.module.plans[self.callee.name]

    @property
    def uses_index(self) -> bool:
        return self.index is not None or bool(self.keys)

    def _outside(self, n: str, arg: Arg) -> ast.expr:
        """An input that stays the same: a key is folded once, outside of the loop."""
        value = self.writer.atom(arg, self.step.name)
        if arg.kind != "key":
            return value
        target = self.writer.fresh(f"{self.step.name}_{n}")
        self.writer.body.append(assign(target, value))
        return name(target)

    def sliced(self, n: str) -> ast.expr:
        """An xs, or a literal list in place of one."""
        arg = self.xs[n]
        if isinstance(arg.value, tuple):
            return self.writer.value(self.node.xs[n])
        return self.writer.atom(arg)

    def first(self, n: str) -> ast.expr:
        """The first value of a carry: literals become arrays, as loops want types."""
        arg = self.carry[n]
        value = self.writer.atom(arg)
        return value if arg.is_reference else self.array(n, arg, value)

    def array(self, n: str, arg: Arg, value: ast.expr) -> ast.expr:
        """A literal of the input `n` as an array."""
        declared = self.callee.function.inputs[n].dtype if self.step.callees else None
        dtype = literal_dtype(self._sample(arg.value), declared)
        return call("jnp.asarray", [value, self.writer.dtype(dtype)])

    def _sample(self, value: Any) -> Any:
        """A value of the kind that a literal has; expressions may speak of dims."""
        if isinstance(value, tuple):
            return tuple(self._sample(v) for v in value)
        if not is_expression(value):
            return value
        instance = self.writer.instance
        sizes = dict.fromkeys(instance.dims, 9973)  # seldom a zero of a denominator
        try:
            return evaluate(value, {**sizes, **instance.values}, "float")
        except ExpressionError:
            return 0.0

    def call(
        self,
        own: ast.expr,
        given: Mapping[str, ast.expr],
        i: ast.expr | None,
        *,
        cse: bool = False,
    ) -> ast.expr:
        """The body's call in step `i`."""
        inputs = self.arguments(given, i)
        if self.index is not None and i is not None:
            inputs[self.index] = i
        return callee_call(
            self.writer,
            self.callee,
            own,
            inputs,
            self.attributes,
            remat=getattr(self.node, "remat", None),
            cse=cse,
        )

    def arguments(
        self, given: Mapping[str, ast.expr], i: ast.expr | None
    ) -> dict[str, ast.expr]:
        """The inputs of a call: those that stay, keys of the step, and `given`."""
        keys = {n: call("fold_in", [self.fixed[n], i or literal(0)]) for n in self.keys}
        return {**self.fixed, **keys, **given}

    def unpacked(
        self,
        value: ast.expr,
        given: Mapping[str, ast.expr],
        fresh: Mapping[str, str],
        state: ast.expr | None,
    ) -> tuple[ast.stmt, dict[str, ast.expr]]:
        """A statement that calls the body, and its outputs by name.

        An output takes the name of the input that it is the next value of, else the one
        in `fresh`.
        """
        found: dict[str, ast.expr] = {}
        for o in self.step.outputs:
            old = given.get(o)
            found[o] = old if isinstance(old, ast.Name) else name(fresh[o])
        target = tuple_of([*found.values()])
        if self.plan.returns_dict:
            target = name(fresh["out"])
            found = {o: subscript(target, o) for o in found}
        if state is not None:
            target = ast.Tuple([target, state])
        return assign(target, value), found

    def fresh_outputs(self, idle: Container[str] = ()) -> dict[str, str]:
        """Names inside for what the body returns that is no carry."""
        if self.plan.returns_dict:
            return dict.fromkeys(self.step.outputs, "_") | {
                "out": self.names.fresh("out")
            }
        return {o: "_" if o in idle else self.names.fresh(o) for o in self.others}

    def body(
        self, role: str, arguments: list[Argument], returns: str, body: list[ast.stmt]
    ) -> ast.expr:
        """The body as a lambda where it is one short expression, else as a `def`."""
        match body:
            case [ast.Return(value=ast.expr() as value)]:
                thunk = lambda_of([n for n, _, _ in arguments], value)
                if len(render(thunk)) <= LAMBDA:
                    return thunk
        title = self.writer.fresh(f"{self.step.name}_{role}")
        self.writer.body.append(function(title, arguments, [], returns, body))
        return name(title)

    def bind(self, targets: Sequence[ast.expr]) -> None:
        """Names the step's outputs."""
        self.writer.values[self.step.name] = list(targets)

    def bind_carry(
        self, targets: Mapping[str, str], first: Mapping[str, ast.expr]
    ) -> None:
        """Carries come out with the type of their first value."""
        for n, value in first.items():
            if is_untyped(value, self.writer.untyped):
                self.writer.untyped.add(targets[n])

    def kept(self, own: ast.expr, tree: Tree) -> ast.expr:
        """The state of a part as it is, by the carried `kept`."""
        return call(
            "kept", [own, literal(state_leaves(tree))], {"train": name("train")}
        )


def packed(items: Sequence[ast.expr], *, unused: bool = False) -> ast.expr:
    """No item as None (or `_`), one as itself, several as a tuple."""
    if not items:
        return name("_") if unused else ast.Constant(None)
    return tuple_of(items)
