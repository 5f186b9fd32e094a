"""What loops and branches share: a callee, a carry, xs, inputs that stay, keys."""

from __future__ import annotations

import ast
from collections.abc import Container, Mapping, Sequence
from typing import Any, Generic, TypeVar

from ...schema.fields import is_expression
from ...schema.op import ScopeOp
from ...schema.resolve.program import Arg, Called, Instance, Step, literal_dtype
from ...schema.resolve.trees import Tree
from ...schema.undecided import kind_of
from ..emit.measure import measure
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
from ..writer import Writer
from .call import callee_attributes, callee_call

Node = TypeVar("Node", bound=ScopeOp)

Argument = tuple[str, str, ast.expr | None]
LAMBDA = 5
"""A call of more arguments is the body of a `def`."""


class Loop(Generic[Node]):
    """One node that runs functions: what its code is made of, and how it is called."""

    def __init__(self, writer: Writer, step: Step, node: Node) -> None:
        writer.flush()
        self.writer = writer
        self.step = step
        self.node = node
        self.carry = step.group("carry")
        self.xs = step.group("xs")
        self.inputs = step.group("inputs")
        self.keys = [n for n, a in self.inputs.items() if a.kind == "key"]
        self.index = step.callees[-1].declared.index
        self.others = [o for o in step.outputs if o not in self.carry]
        self.own = writer.params(step)
        self.fixed = {n: self._outside(n, arg) for n, arg in self.inputs.items()}
        self.attributes = callee_attributes(
            writer, getattr(node, "attributes", {}), self.plan
        )
        used = (*self.fixed.values(), *self.attributes.values(), self.own)
        self.names = writer.names.inside(set().union(*map(names_in, used)))
        """Names inside: they may hide those outside that the body doesn't need."""

    @property
    def callee(self) -> Instance:
        return self.step.callees[-1].instance

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
            written: Mapping[str, Any] = getattr(self.node, "xs", {})
            return self.writer.value(written[n])
        return self.writer.atom(arg)

    def first(self, n: str) -> ast.expr:
        """The first value of a carry."""
        return first(self.writer, self.step, n)

    def array(self, n: str, arg: Arg, value: ast.expr) -> ast.expr:
        """A literal of the input `n` as an array."""
        return array(self.writer, self.step, n, arg, value)

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
            goes_on = o in self.carry or fresh.get(o, o) == o
            found[o] = old if isinstance(old, ast.Name) and goes_on else name(fresh[o])
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
        facts = self.writer.module.facts[self.callee.name]
        return {
            o: "_" if o in idle else self._inner(o, facts.returned) for o in self.others
        }

    def _inner(self, o: str, returned: Mapping[str, str]) -> str:
        """A name inside for an output: what its function calls it, else its own."""
        text = returned.get(o, o)
        inputs = self.callee.function.inputs
        if o in inputs and text in inputs and o not in self.fixed:
            return o  # that of the input, which each step has anew
        return self.names.fresh(o if text in inputs else text)

    def body(
        self, role: str, arguments: list[Argument], returns: str, body: list[ast.stmt]
    ) -> ast.expr:
        """The body as a function: that which it calls with just these arguments, a
        lambda of one call, or a `def`.
        """
        match body:
            case [ast.Return(value=ast.expr() as value)]:
                names = [n for n, _, _ in arguments]
                if (itself := _function_itself(names, value)) is not None:
                    return itself
                found = measure(value)
                if found.weight <= 2 and found.arguments <= LAMBDA:
                    return lambda_of(names, value)
        title = self.writer.fresh(f"{self.step.name}_{role}")
        self.writer.body.append(function(title, arguments, [], returns, body))
        return name(title)

    def bind(self, targets: Sequence[ast.expr]) -> None:
        """Names the step's outputs."""
        self.writer.values[self.step.name] = list(targets)

    def part(self, called: Called) -> ast.expr:
        """The parameters of a callee in a role, which may have none."""
        if not called.instance.tree:
            return ast.Dict([], [])
        return subscript(self.own, str(called.declared.role))

    def kept(self, own: ast.expr, tree: Tree) -> ast.expr:
        """The state of a part as it is, by the carried `kept`: what calls always change,
        and what they change when training.
        """
        parts = [
            call("kept", [own, literal(paths)], {"train": train})
            for paths, train in (
                (state_leaves(tree, "training"), name("train")),
                (state_leaves(tree, "always"), literal(True)),
            )
            if paths
        ]
        return parts[0] if len(parts) == 1 else call("merge", parts)


def _function_itself(names: Sequence[str], value: ast.expr) -> ast.expr | None:
    """`f` of `f(a, b)` over the names a, b."""
    match value:
        case ast.Call(func=ast.Name() as called, args=args, keywords=[]):
            given = [a.id if isinstance(a, ast.Name) else None for a in args]
            return called if given == [*names] else None
    return None


def arrays(count: int) -> str:
    """The type of so many arrays, packed as `packed` does it."""
    if count < 2:
        return "Array" if count else "None"
    return f"tuple[{', '.join(['Array'] * count)}]"


def first(writer: Writer, step: Step, n: str) -> ast.expr:
    """The first value of a carry: literals become arrays, as loops want types."""
    arg = step.group("carry")[n]
    value = writer.atom(arg)
    return value if arg.is_reference else array(writer, step, n, arg, value)


def array(writer: Writer, step: Step, n: str, arg: Arg, value: ast.expr) -> ast.expr:
    """A literal of the callee's input `n` as an array."""
    declared = step.callees[-1].instance.function.inputs[n].dtype
    dtype = literal_dtype(_sample(writer.instance, arg.value), declared)
    return call("jnp.asarray", [value, writer.dtype(dtype)])


def _sample(instance: Instance, value: Any) -> Any:
    """A value of the kind that a literal has; expressions may speak of dims."""
    if isinstance(value, tuple):
        return tuple(_sample(instance, v) for v in value)
    if not is_expression(value):
        return value
    return 0 if kind_of(value, instance.values) == "int" else 0.0


def bind_carry(
    writer: Writer, targets: Mapping[str, str], first: Mapping[str, ast.expr]
) -> None:
    """Carries come out with the type of their first value."""
    for n, value in first.items():
        if is_untyped(value, writer.untyped):
            writer.untyped.add(targets[n])


def no_copies(writer: Writer, step: Step) -> None:
    """A repeat of count 0: the carry as it came; nothing else can be used."""
    writer.flush()
    targets = dict(zip(step.outputs, writer.locals_of(step), strict=True))
    used = [n for n in step.group("carry") if targets[n] != "_"]
    starts = {n: first(writer, step, n) for n in used}
    writer.body += [assign(targets[n], value) for n, value in starts.items()]
    bind_carry(writer, targets, starts)
    writer.values[step.name] = [name(t) for t in targets.values()]


def packed(items: Sequence[ast.expr], *, unused: bool = False) -> ast.expr:
    """No item as None (or `_`, as where none is used), one as itself, several as a tuple."""
    if all(isinstance(item, ast.Name) and item.id == "_" for item in items):
        return name("_") if items or unused else ast.Constant(None)
    return tuple_of(items)
