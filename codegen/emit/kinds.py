"""Annotations of inputs that calls give numbers: `Array | int` where that can be said."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from ...schema.resolve.program import Arg, Step
from ..nodes import call, name
from ..plan import Module, Plan
from ..walk import children
from .uses import OpUse, is_absent

Uses = Mapping[str, Mapping[str, OpUse]]


def annotate(module: Module, uses: Uses) -> None:
    """Settles what inputs are that may be numbers: `Any` where a use wants an array."""
    for title, plan in module.plans.items():  # callees first
        for text, kinds in plan.given.items():
            if not kinds - {"Array"}:
                continue
            if "Any" not in kinds and _is_any_number(module, plan, uses[title], text):
                kinds = kinds - {"int"} if "float" in kinds else kinds
                kinds = kinds - {"bool"} if kinds & {"int", "float"} else kinds
                plan.annotations[text] = " | ".join(sorted(kinds))
            elif text in plan.numbers:
                plan.annotations[text] = "Any"


def _is_any_number(
    module: Module, plan: Plan, uses: Mapping[str, OpUse], text: str
) -> bool:
    """True where all that an input goes into takes arrays and numbers alike."""
    if any(arg.source == text for arg in plan.first.outputs.values()):
        return False
    for step in plan.steps:
        if all(arg.source != text for arg in step.arguments()):
            continue
        if step.callees:
            fits = _callees_take(module, step, text)
        else:
            fits = _op_takes(plan, uses[step.name], text)
        if not fits:
            return False
    return True


def _callees_take(module: Module, step: Step, text: str) -> bool:
    """True where functions take a number as it is, and say so."""
    inputs = step.group("inputs")
    formal = [n for n, arg in inputs.items() if arg.source == text]
    others = [a for a in step.arguments() if all(a is not v for v in inputs.values())]
    if any(arg.source == text for arg in others):
        return False
    plans = [module.plans[instance.name] for instance in step.instances]
    return all(p.annotations.get(n, "Any") != "Any" for p in plans for n in formal)


def _op_takes(plan: Plan, use: OpUse, text: str) -> bool:
    """True of a function of JAX, and of an expression with an array beside the number."""
    if use.source.alias is not None:
        return True
    numbers = {n for n, kinds in plan.given.items() if kinds - {"Array"}}
    if all(a.source is None or a.source in numbers for a in use.arguments()):
        return False

    def value(arg: Arg | list[Arg]) -> ast.expr:
        if isinstance(arg, list):
            return ast.List([value(part) for part in arg])
        return name("@number") if arg.source == text else call("computed")

    given = zip(use.positions, use.operands, strict=False)
    values = {p: value(v) for p, v in given if not is_absent(v)}
    values |= {slot: value(arg) for slot, arg in use.slots.items()}
    stored = dict.fromkeys(use.stored, call("computed"))
    expression = use.source.expression(values, {**stored, **use.attributes})
    return expression is not None and _beside_others(ast.Expr(expression))


def _beside_others(node: ast.AST) -> bool:
    """True where what stands for the number is an operand of a sign, or is given to JAX."""
    for child in children(node):
        marked = isinstance(child, ast.Name) and child.id == "@number"
        if marked and not _takes_numbers(node):
            return False
        if not marked and not _beside_others(child):
            return False
    return True


def _takes_numbers(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call):
        return isinstance(node, ast.BinOp | ast.Compare)
    function = node.func
    while isinstance(function, ast.Attribute):
        function = function.value
    return isinstance(function, ast.Name) and function.id in ("jnp", "jax")
