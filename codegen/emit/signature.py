"""The head of a function: arguments, annotations, casts of an entry."""

from __future__ import annotations

import ast

from ..nodes import Dtype, assign, call, literal, name, tuple_of
from ..plan import Plan

Argument = tuple[str, str, ast.expr | None]


def signature(plan: Plan) -> tuple[list[Argument], list[Argument], str]:
    """Positional arguments, keyword-only arguments and the return annotation."""
    function = plan.first.function
    arguments: list[Argument] = []
    if plan.takes_params:
        arguments.append(("params", "Params", None))
    for text, given in function.inputs.items():
        default = ast.Constant(None) if given.optional else None
        usual = "Array" if given.copies is None else "list[Array]"
        kind = plan.annotations.get(text, usual)
        if given.optional and kind != "Any":
            kind += " | None"
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
    lists = plan.first.output_copies
    kinds = ["list[Array]" if name in lists else "Array" for name in plan.outputs]
    returns = kinds[0] if len(kinds) == 1 else f"tuple[{', '.join(kinds)}]"
    if plan.returns_dict:
        returns = "dict[str, Any]" if lists else "dict[str, Array]"
    if plan.stateful:
        returns = f"tuple[{returns}, Params]"
    return arguments, keywords, returns


def casts(plan: Plan) -> list[ast.stmt]:
    """Floating inputs of an entry as the model's dtype, which its parameters have."""
    inputs = plan.first.function.inputs
    given = plan.first.float_inputs() if plan.is_entry else []
    dtype = Dtype("dtype")

    def cast(text: str) -> ast.expr:
        array = name(text)
        if inputs[text].copies is not None:
            each = ast.comprehension(name("each"), array, [], 0)
            one = call(ast.Attribute(name("each"), "astype"), [dtype])
            return ast.ListComp(one, [each])
        if text in plan.numbers or inputs[text].shape == []:  # maybe a number
            return call("jnp.asarray", [array, dtype])
        return call(ast.Attribute(array, "astype"), [dtype])

    always = [n for n in given if not inputs[n].optional]
    found: list[ast.stmt] = []
    if always:
        targets = tuple_of([name(n) for n in always])
        found.append(assign(targets, tuple_of([cast(n) for n in always])))
    for n in given:
        if inputs[n].optional:
            there = ast.Compare(name(n), [ast.IsNot()], [literal(None)])
            found.append(ast.If(there, [assign(n, cast(n))], []))
    return found
