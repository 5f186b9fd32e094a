"""Expressions as documents: where ruff allows a line break, and how it groups them.

The functions follow the rules of ruff's formatter node by node (default settings,
style of 2026); operands that need parentheses get them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from .brackets import (
    INSIDE,
    Level,
    comma_separated,
    group,
    line,
    one_line,
    parenthesize_if_broken,
    parenthesized,
)
from .documents import (
    BestFitting,
    Doc,
    FitsExpanded,
    Group,
    GroupId,
    Indent,
    Line,
    When,
)
from .literals import f_string, identifier, literal
from .operators import (
    BIT_OR,
    NO_CONDITION,
    OPERATORS,
    Comprehended,
    Operand,
    Postfix,
    break_strength,
    flattened,
    hugs_colon,
    is_simple,
    operands,
    strength,
)
from .splitting import Chain, Needs, chain_of, needs_parentheses, own_brackets


def each(nodes: Iterable[ast.expr]) -> Doc:
    return comma_separated([expression_doc(node, INSIDE) for node in nodes])


def _wrapped(
    node: ast.expr, wrap: bool, level: Level, chain: Chain = Chain.ROOT
) -> Doc:
    if wrap:
        return parenthesized("(", expression_doc(node, INSIDE), ")", level)
    return expression_doc(node, level, chain)


def expression_doc(node: ast.expr, level: Level, chain: Chain = Chain.ROOT) -> Doc:
    """The document of an expression, without parentheses of its own.

    Raises:
        ValueError: a node or constant outside the set that generated code uses.
    """
    match node:
        case ast.Name(id):
            return identifier(id)
        case ast.Constant(value):
            return literal(value)
        case ast.Attribute() | ast.Call() | ast.Subscript():
            return _postfix(node, level, chain)
        case ast.Tuple(elts):
            if len(elts) == 1:
                one = (expression_doc(elts[0], INSIDE), ",")
                return parenthesized("(", one, ")", level)
            return parenthesized("(", each(elts), ")", level) if elts else "()"
        case ast.List(elts):
            return parenthesized("[", each(elts), "]", level) if elts else "[]"
        case ast.Dict(keys, values):
            pairs = [_pair(key, value) for key, value in zip(keys, values, strict=True)]
            inner = comma_separated(pairs)
            return parenthesized("{", inner, "}", level) if pairs else "{}"
        case ast.BinOp() | ast.BoolOp() | ast.Compare():
            return group(_operation(*flattened(node), level), level)
        case ast.UnaryOp(op):
            ((operand, wrap),) = operands(node)
            return (OPERATORS[type(op)][0], _wrapped(operand, wrap, level))
        case ast.IfExp():
            return group(_conditional(node, level), level)
        case ast.Lambda():
            return lambda_doc(node, level)
        case ast.Starred(value):
            return ("*", _wrapped(value, strength(value) < BIT_OR, level))
        case ast.GeneratorExp():
            return parenthesized("(", Group(_comprehension(node)), ")", level)
        case ast.ListComp():
            return parenthesized("[", Group(_comprehension(node)), "]", level)
        case ast.DictComp() | ast.SetComp():
            return parenthesized("{", Group(_comprehension(node)), "}", level)
        case ast.Slice():
            return _slice(node)
        case ast.JoinedStr():
            return f_string(node)
        case _:
            raise ValueError(f"no layout for {type(node).__name__}")


def _pair(key: ast.expr | None, value: ast.expr) -> Doc:
    if key is None:
        return Group(("**", _wrapped(value, strength(value) < BIT_OR, INSIDE)))
    return Group((expression_doc(key, INSIDE), ": ", expression_doc(value, INSIDE)))


# Calls, subscripts, attributes


def _postfix(node: Postfix, level: Level, chain: Chain) -> Doc:
    root = chain is Chain.ROOT
    if root:
        chain = Chain.PLAIN if level is None else chain_of(node)
    fluent = chain is Chain.FLUENT
    ((value, wrapped),) = operands(node)
    # an attribute outside a fluent chain starts the question anew for its value
    passed = Chain.ROOT if isinstance(node, ast.Attribute) and not fluent else chain
    left = _wrapped(value, wrapped, level, passed)
    right: Doc
    match node:
        case ast.Attribute(attr=attr):
            dots = wrapped or isinstance(value, ast.Call | ast.Subscript)
            right = (Line.SOFT if fluent and dots else "", ".", identifier(attr))
        case ast.Call():
            right = _arguments(node, level)
        case ast.Subscript(slice=ast.Tuple(elts)) if elts:
            right = parenthesized("[", _bare(elts), "]", level)
        case ast.Subscript(slice=index):
            right = parenthesized("[", expression_doc(index, INSIDE), "]", level)
    return Group((left, right)) if root and fluent else (left, right)


def _bare(elts: Sequence[ast.expr]) -> Doc:
    if len(elts) > 1:
        return Group(each(elts))
    doc = expression_doc(elts[0], INSIDE)
    match elts[0]:
        case ast.Starred():
            return doc
        case ast.Slice():
            return (doc, ",")
        case _:
            return parenthesized("(", (doc, ","), ")", INSIDE)


def _arguments(node: ast.Call, level: Level) -> Doc:
    match node:
        case ast.Call(args=[], keywords=[]):
            return "()"
        case ast.Call(args=[ast.GeneratorExp() as only], keywords=[]):
            return parenthesized("(", Group(_comprehension(only)), ")", level)
    items: list[Doc] = []
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            items.append(("*", expression_doc(argument.value, INSIDE)))
        else:
            items.append(expression_doc(argument, INSIDE))
    for keyword in node.keywords:
        name = "**" if keyword.arg is None else f"{identifier(keyword.arg)}="
        items.append((name, expression_doc(keyword.value, INSIDE)))
    return parenthesized("(", Group(comma_separated(items)), ")", level)


def _slice(node: ast.Slice) -> Doc:
    parts = (node.lower, node.upper, node.step)
    space = "" if all(map(hugs_colon, parts)) else " "
    lower, upper, step = (part and expression_doc(part, INSIDE) for part in parts)
    docs: list[Doc] = [lower, space] if lower else []
    docs += [":", space, upper] if upper else [":"]
    if step:
        docs += [space if upper else "", ":", space, step]
    return tuple(docs)


# Operators


def _operation(flat: list[Operand], joints: list[ast.AST], level: Level) -> Doc:
    """Break before all operators that bind least, or before none of them."""
    if not joints:
        return _wrapped(*flat[0], level)
    weakest = min(map(break_strength, joints))
    ends = [i for i, joint in enumerate(joints) if break_strength(joint) == weakest]
    docs: list[Doc] = []
    start = 0
    for end in [*ends, len(joints)]:
        part = _operation(flat[start : end + 1], joints[start:end], level)
        docs.append(part if end == start else group(part, level))
        if end < len(joints):
            docs.append(_operator(joints[end], flat[end], flat[end + 1], level))
        start = end + 1
    return tuple(docs)


def _operator(joint: ast.AST, left: Operand, right: Operand, level: Level) -> Doc:
    text = OPERATORS[type(joint)][0]
    simple = all(not wrapped and is_simple(node) for node, wrapped in (left, right))
    if isinstance(joint, ast.Pow) and simple:
        space: Doc = "" if level is None else When(True, " ")
        if isinstance(level, GroupId):
            # ruff's own slip, `x** y`, which it takes back inside a kept tuple
            space = When(True, space if level.kept else " ", level)
        return (line(level, Line.SOFT), text, space)
    return (line(level), text, " ")


def _conditional(node: ast.IfExp, level: Level) -> Doc:
    (body, wrap_body), (test, wrap_test), (orelse, _) = operands(node)
    if isinstance(orelse, ast.IfExp):
        last = _conditional(orelse, level)
    else:
        last = group(expression_doc(orelse, level), level)
    return (
        (_wrapped(body, wrap_body, level), line(level), "if "),
        (_wrapped(test, wrap_test, level), line(level), "else "),
        last,
    )


def lambda_doc(node: ast.Lambda, level: Level, assigned: bool = False) -> Doc:
    """`lambda x: body`; the head never breaks, a long body gets parentheses."""
    names = ", ".join(one_line(parameter) for parameter in parameters(node.args))
    head = f"lambda {names}: " if names else "lambda: "
    needs = needs_parentheses(node.body)
    called = isinstance(node.body, ast.Call | ast.Subscript)
    body: Doc
    if called and needs is not Needs.PARENTHESES:
        plain = expression_doc(node.body, level)
        block = (Indent((Line.HARD, plain)), Line.HARD)
        body = BestFitting((plain, Group(plain, expand=True), ("(", block, ")")))
    elif needs is Needs.NOTHING and own_brackets(node.body) is not None:
        body = expression_doc(node.body, level)
    else:
        body = parenthesize_if_broken(expression_doc(node.body, INSIDE))
    return (head, FitsExpanded(body) if assigned else body)


def parameters(arguments: ast.arguments) -> list[Doc]:
    """One document per parameter, `*` and `/` among them, in order."""
    plain = [*arguments.posonlyargs, *arguments.args]
    absent = [None] * (len(plain) - len(arguments.defaults))
    docs = [
        _parameter(argument, default)
        for argument, default in zip(plain, [*absent, *arguments.defaults], strict=True)
    ]
    if arguments.posonlyargs:
        docs.insert(len(arguments.posonlyargs), "/")
    if arguments.vararg:
        docs.append(("*", _parameter(arguments.vararg, None)))
    elif arguments.kwonlyargs:
        docs.append("*")
    docs += map(_parameter, arguments.kwonlyargs, arguments.kw_defaults)
    if arguments.kwarg:
        docs.append(("**", _parameter(arguments.kwarg, None)))
    return docs


def _parameter(argument: ast.arg, default: ast.expr | None) -> Doc:
    name: Doc = identifier(argument.arg)
    equals = "="
    if argument.annotation:
        name = (name, ": ", expression_doc(argument.annotation, INSIDE))
        equals = " = "
    return (name, equals, expression_doc(default, INSIDE)) if default else name


# Comprehensions


def _comprehension(node: Comprehended) -> Doc:
    if isinstance(node, ast.DictComp):
        key = expression_doc(node.key, INSIDE)
        element: Doc = (Group(key), ": ", expression_doc(node.value, INSIDE))
    else:
        element = Group(expression_doc(node.elt, INSIDE))
    docs: list[Doc] = [element]
    for part in node.generators:
        if part.is_async:
            raise ValueError("no layout for `async` in a comprehension")
        if isinstance(part.target, ast.Tuple) and len(part.target.elts) > 1:
            names = [expression_doc(name, INSIDE) for name in part.target.elts]
            target: Doc = (names[0], *((", ", name) for name in names[1:]))
        else:
            target = expression_doc(part.target, INSIDE)
        source = _wrapped(part.iter, strength(part.iter) < NO_CONDITION, INSIDE)
        docs.append((Line.SPACE, "for ", target, " in ", source))
        for test in part.ifs:
            wrap = strength(test) < NO_CONDITION
            docs.append((Line.SPACE, "if ", _wrapped(test, wrap, INSIDE)))
    return tuple(docs)
