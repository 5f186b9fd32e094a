"""Nodes that are ops, before they are written: their sources, and what they use of them.

It is known for all nodes of a file before its first line is written, since it decides
how the functions of the library are cut, and so how each of them is called.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import Any

from ...schema.op import Op, ScopeOp
from ...schema.ops.indexing import index_parts
from ...schema.parameters import Leaf
from ...schema.registry import definition
from ...schema.resolve.program import Arg, Step
from ..library.source import OpSource
from ..library.use import Use
from ..nodes import call, name, tuple_of
from ..plan import Module, Plan
from .facts import facts_of
from .sizes import Numbers


@dataclass(frozen=True, slots=True)
class OpUse:
    """A node: the source of its op, and what goes to which parameter.

    `operands` are lists where an operand is one; `positions` are the parameters that
    get them; `slots` are parameters that the spec gives as values; `stored` those that
    lie in `params`.
    """

    source: OpSource
    operands: list[Arg | list[Arg]]
    positions: tuple[str, ...]
    slots: dict[str, Arg]
    stored: tuple[str, ...]
    attributes: dict[str, ast.expr]
    is_inlined: bool = False
    """True of an op that is an expression, should its operands be locals."""

    def arguments(self) -> list[Arg]:
        """The operands and slots in the order in which they are computed."""
        flat: list[Arg] = []
        for value in self.operands:
            flat += value if isinstance(value, list) else [value]
        return [*flat, *self.slots.values()]


def plan_uses(module: Module) -> dict[str, dict[str, OpUse]]:
    """All nodes by function and name; `module.carried` knows what they may call."""
    found: dict[str, dict[str, OpUse]] = {}
    for title, plan in module.plans.items():
        numbers = Numbers(plan)
        uses = found[title] = {}
        for step in plan.steps:
            if not isinstance(step.op, ScopeOp):
                uses[step.name] = _op_use(module, plan, numbers, step)
    module.settle()
    return found


def is_absent(value: Arg | list[Arg]) -> bool:
    """True of an optional operand that the node doesn't have."""
    return isinstance(value, Arg) and value.source is None and value.value is None


def _op_use(module: Module, plan: Plan, numbers: Numbers, step: Step) -> OpUse:
    found = definition(step.op.op)
    assert found is not None
    source = module.library.op(found)
    fields = step.op.fields()
    operands = [step.args[field] for field in fields.operands]
    owns = isinstance(step.tree, Leaf)
    stored = () if isinstance(step.tree, Leaf) else tuple(map(str, step.tree))
    positions: tuple[str, ...] = ()
    if source.function is not None:
        positions = tuple(source.parameters)[: len(operands) + owns]
    use = OpUse(
        source,
        operands,
        positions,
        {s: step.operand(s) for s in fields.slots if s in step.args},
        stored,
        _attributes(plan, numbers, step, source),
    )
    is_layer = module.layers and bool(stored) and not source.inline
    if source.function is not None and not is_layer and _is_inlined(use, owns):
        return replace(use, is_inlined=True)
    if source.function is not None:
        given = {
            p: v
            for p, v in (*zip(positions, operands, strict=False), *use.slots.items())
            if isinstance(v, Arg)
        }
        facts = facts_of(module, plan, step, source, given)
        uses = [_use(plan, use, owns, f) for f in facts]
        module.carried.use(found.home, source.name, uses)
    return use


def _use(plan: Plan, use: OpUse, owns: bool, facts: dict[str, Any]) -> Use:
    """What a call gives of the parameters of its function."""
    inputs = plan.first.function.inputs
    scalars = {n for n, given in inputs.items() if given.shape == []} | plan.numbers
    there = {
        p for p, v in zip(use.positions, use.operands, strict=False) if not is_absent(v)
    }
    maybe = {
        p
        for p, v in zip(use.positions, use.operands, strict=False)
        if isinstance(v, Arg) and v.optional
    }
    there |= {*use.slots, *use.stored, *(use.positions[-1:] if owns else ())}
    return Use(
        use.attributes,
        frozenset(there - maybe),
        frozenset(maybe & there),
        frozenset(use.positions),
        facts,
        frozenset(
            p
            for p, v in zip(use.positions, use.operands, strict=False)
            if isinstance(v, Arg) and (v.source is None or v.source in scalars)
        ),
    )


def _is_inlined(use: OpUse, owns: bool) -> bool:
    local: ast.expr = name("local")
    values = {
        p: call("key") if isinstance(v, Arg) and v.kind == "key" else local
        for p, v in zip(use.positions, use.operands, strict=False)
        if not is_absent(v)
    }
    values |= dict.fromkeys(use.slots, local)
    if owns:
        values[use.positions[-1]] = local
    others = {**dict.fromkeys(use.stored, local), **use.attributes}
    return use.source.expression(values, others) is not None


def _attributes(
    plan: Plan, numbers: Numbers, step: Step, source: OpSource
) -> dict[str, ast.expr]:
    """The attributes that the op's function takes, as source."""
    original: Op = plan.first.function.nodes[step.name]
    fields = original.fields()
    result: dict[str, ast.expr] = {}
    for field in fields.attributes:
        if source.alias is None and field not in source.parameters:
            continue
        value: Any = getattr(original, field)
        default = type(original).model_fields[field].default
        says_no = any(value is no for no in (None, False))  # 0 says more
        if source.alias is not None and value is default and says_no:
            continue  # as JAX has it; what says more than "no" is always written
        if field in fields.dtypes:
            result[field] = plan.dtype(value)
        elif field in fields.indices:
            result[field] = _index(numbers, value)
        else:
            is_float = field in fields.floats
            result[field] = numbers.value(value, "float" if is_float else "int")
    if original.TRAIN:
        result["train"] = name("train")
    return result


def _index(numbers: Numbers, text: str) -> ast.expr:
    """What stands between the brackets."""

    def part(value: Any) -> ast.expr:
        if value == "...":
            return ast.Constant(...)
        if isinstance(value, tuple):
            bounds = (None if b is None else numbers.value(b, "int") for b in value)
            return ast.Slice(*bounds)
        return numbers.value(value, "int")

    return tuple_of([part(p) for p in index_parts(text)])
