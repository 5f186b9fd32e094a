"""Ops as source: an expression, a function of JAX, or a call of a carried function."""

from __future__ import annotations

import ast
from typing import Any

from ...schema.parameters import Leaf
from ...schema.resolve.program import Step
from ..library.single import put_in
from ..nodes import call, is_same, name, subscript
from ..plan import leaf_names
from ..writer import Writer
from .leading import leading_sizes
from .uses import OpUse, is_absent


def write_op(writer: Writer, step: Step, use: OpUse) -> None:
    """Writes a node that is an op."""
    one_of_several = len(step.outputs) == 1 and step.outputs != step.op.OUTPUTS

    def build(values: list[ast.expr]) -> ast.expr | None:
        rest = iter(values)
        operands: list[ast.expr | None] = []
        for operand in use.operands:
            if isinstance(operand, list):
                operands.append(ast.List([next(rest) for _ in operand]))
            else:
                one = next(rest)
                operands.append(None if is_absent(operand) else one)
        slots = dict(zip(use.slots, rest, strict=True))
        value = _expression(writer, step, use, operands, slots)
        if value is None or not one_of_several:
            return value
        return subscript(value, 0)

    several = step.stateful or len(step.outputs) > 1
    value = writer.combine(step.name, use.arguments(), build, int(step.stateful))
    if step.op.ASSIGNS:
        writer.assign(step, value)
    elif several:
        writer.statement(step, value)
    elif isinstance(step.tree, Leaf):
        writer.values[step.name] = [value]
    else:
        writer.wait(step, value)


def _expression(
    writer: Writer,
    step: Step,
    use: OpUse,
    operands: list[ast.expr | None],
    slots: dict[str, ast.expr],
) -> ast.expr | None:
    """The op over these values, None where they would compute in another order."""
    source = use.source
    if source.alias is not None:
        return call(source.alias, _positional(operands), use.attributes)
    own = writer.params(step)
    if isinstance(step.tree, Leaf):
        operands = [*operands, own]
    given = zip(use.positions, operands, strict=True)
    values = {p: v for p, v in given if v is not None} | slots
    stored = {n: subscript(own, n) for n in use.stored}
    if use.is_inlined:
        args = dict(zip(use.positions, use.operands, strict=False))
        found = source.expression(
            values,
            {**stored, **use.attributes},
            lambda p: leading_sizes(writer.module, writer.plan, args[p]),
        )
        return _compared(found)
    carried = writer.module.carried
    is_layer = writer.module.layers and bool(stored) and not source.inline
    template = None if is_layer else carried.template(source.name)
    if template is not None and not any(a.kind == "key" for a in use.arguments()):
        return put_in(template, values, {**stored, **use.attributes})
    cut = carried.cut(source.name)
    positions = zip(use.positions, operands, strict=True)
    kept = [v for p, v in positions if p not in cut.dropped]
    result = call(name(carried.titles[source.name]), _positional(kept), slots)
    if stored and _is_whole(writer, step):
        result.keywords.append(ast.keyword(None, own))
    else:
        result.keywords += [ast.keyword(n, value) for n, value in stored.items()]
    for field, value in use.attributes.items():
        value = cut.argument(field, value)
        default = cut.defaults.get(field)
        same = default is not None and is_same(default, value)
        if field not in cut.dropped and not same:
            result.keywords.append(ast.keyword(field, value))
    return result


def _compared(value: ast.expr | None) -> ast.expr | None:
    """`jnp.equal(x, True)` of `x == True`, which asks a reader for `x` alone."""
    match value:
        case ast.Compare(left=a, ops=[ast.Eq() | ast.NotEq() as op], comparators=[b]):
            if any(
                isinstance(n, ast.Constant) and isinstance(n.value, bool)
                for n in (a, b)
            ):
                kind = "equal" if isinstance(op, ast.Eq) else "not_equal"
                return call(f"jnp.{kind}", [a, b])
    return value


def _positional(operands: list[ast.expr | None]) -> list[ast.expr]:
    while operands and operands[-1] is None:
        operands = operands[:-1]
    return [ast.Constant(None) if v is None else v for v in operands]


def _is_whole(writer: Writer, step: Step) -> bool:
    """True where what lies at the step's scope is just what its function takes."""
    tree: Any = writer.instance.tree
    for part in step.scope:
        tree = tree[part]
    return leaf_names(tree) == leaf_names(step.tree)
