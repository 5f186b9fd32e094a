"""The head of a function: arguments, annotations, docstring, checks of an entry."""

from __future__ import annotations

import ast

from ...schema.content import split_constraint
from ...schema.expressions import evaluate, names, parse
from ...schema.fields import is_expression
from ..nodes import call, literal, name
from ..plan import Module, Plan
from .sizes import Numbers

Argument = tuple[str, str, ast.expr | None]
_FLIPPED: dict[str, type[ast.cmpop]] = {
    "<=": ast.Gt, ">=": ast.Lt, "==": ast.NotEq, "<": ast.GtE, ">": ast.LtE,
}  # fmt: skip


def signature(plan: Plan) -> tuple[list[Argument], list[Argument], str]:
    """Positional arguments, keyword-only arguments and the return annotation."""
    function = plan.first.function
    arguments: list[Argument] = []
    if plan.takes_params:
        arguments.append(("params", "Params", None))
    for text, given in function.inputs.items():
        default = ast.Constant(None) if given.optional else None
        kind = "Array | None" if given.optional else "Array"
        if text in plan.numbers:
            kind = "Any"
        arguments.append((text, kind, default))
    keywords: list[Argument] = []
    for attribute in plan.varying:
        if attribute in plan.needed:
            values = [i.own[attribute] for i in plan.instances]
            kind = "float" if any(isinstance(v, float) for v in values) else "int"
            keywords.append((attribute, kind, None))
    if plan.takes_dtype:
        keywords.append(("dtype", "Any", None))
    if plan.uses_train:
        default = ast.Constant(False) if plan.is_entry else None
        keywords.append(("train", "bool", default))
    count = len(plan.outputs)
    returns = "Array" if count == 1 else f"tuple[{', '.join(['Array'] * count)}]"
    if plan.returns_dict:
        returns = "dict[str, Array]"
    if plan.stateful:
        returns = f"tuple[{returns}, Params]"
    return arguments, keywords, returns


def docstring(plan: Plan) -> list[ast.stmt]:
    text = plan.first.function.doc.strip()
    return [ast.Expr(ast.Constant(text))] if text else []


def checks(module: Module, plan: Plan, numbers: Numbers) -> list[ast.stmt]:
    """Bounds of dims and constraints of an entry, as statements."""
    if not plan.is_entry:
        return []
    graph, instance = module.program.graph, plan.first
    result: list[ast.stmt] = []
    passed = _passed_on(module, plan)
    for dim, bounds in graph.dims.items():
        if dim not in instance.dims or dim in passed:
            continue
        size = numbers.expression(ast.Name(dim))
        for field, value in bounds:
            if value is None:
                continue
            bound = literal(
                evaluate(value, graph.attributes) if is_expression(value) else value
            )
            test, text = {
                "min": (ast.Compare(size, [ast.Lt()], [bound]), "at least"),
                "max": (ast.Compare(size, [ast.Gt()], [bound]), "at most"),
                "multiple_of": (
                    ast.Compare(
                        ast.BinOp(size, ast.Mod(), bound), [ast.NotEq()], [literal(0)]
                    ),
                    "a multiple of",
                ),
            }[field]
            message = f"{dim}: expected {text} {ast.unparse(bound)}, found "
            found = ast.BinOp(literal(message), ast.Add(), call("str", [size]))
            result.append(_refuse(test, found))
    known = {*graph.attributes, *instance.dims}
    for text in graph.constraints:
        left, sign, right = split_constraint(text)
        used = {*names(left), *names(right)}
        if not used <= known or used - {*graph.attributes} <= passed:
            continue
        sides = [numbers.expression(parse(side)) for side in (left, right)]
        test = ast.Compare(sides[0], [_FLIPPED[sign]()], [sides[1]])
        result.append(_refuse(test, literal(f"expected {text}")))
    return result


def _passed_on(module: Module, plan: Plan) -> set[str]:
    """The dims that another entry checks, which gets the same input by the same name."""
    found: set[str] = set()
    for step in plan.steps:
        surely = len(step.callees) == 1 and step.callees[0].declared.runs == 1
        for callee in step.instances if surely else ():
            if not module.plans[callee.name].is_entry:
                continue
            for dim, (source, axis) in plan.first.dims.items():
                given = step.group("inputs").get(source)
                same = given is not None and given.source == source
                if same and callee.dims.get(dim) == (source, axis):
                    found.add(dim)
    return found


def _refuse(test: ast.expr, message: ast.expr) -> ast.stmt:
    error = ast.Raise(call(name("ValueError"), [message]), None)
    return ast.If(test, [error], [])
