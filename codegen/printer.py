"""Python `ast` nodes as text that `ruff format` leaves as it is, without needing ruff.

The generator builds nodes and never pastes text together: whatever names and strings a
spec holds, the result is ASCII, parses to the same tree (docstrings: up to
indentation), and is laid out as ruff's default settings would do it (88 columns, double
quotes), also where a name of 64 characters leaves no good place to break.

Supported is what generated files use. Expressions: Name, Attribute, Subscript, Slice,
Call, Tuple, List, Dict, BinOp, UnaryOp, BoolOp, Compare, IfExp, Lambda, Constant (not
bytes, not complex), Starred and comprehensions without `if`. Statements: Assign to one
target, AnnAssign, AugAssign, Return, Expr, If, For, FunctionDef, Raise, Pass. Anything
else is a ValueError. Negative constants are written as a sign and a number.
"""

from __future__ import annotations

import ast
import copy
import math
from collections.abc import Sequence
from typing import TypeVar

from .expressions import (
    INSIDE,
    comma_separated,
    each,
    expression_doc,
    lambda_doc,
    one_line,
    optional_parentheses,
    parameters,
    parenthesize_if_broken,
)
from .layout import (
    INDENT,
    BestFitParentheses,
    BestFitting,
    Doc,
    Group,
    GroupId,
    render,
    soft_block,
)
from .literals import docstring
from .operators import (
    OPERATORS,
    POSTFIX,
    Needs,
    can_omit_parentheses,
    is_splittable,
    needs_parentheses,
    own_brackets,
)


def expression(node: ast.expr) -> str:
    """Print an expression on one line, however long.

    Raises:
        ValueError: the node is outside the supported set, or holds inf or nan.
    """
    return one_line(expression_doc(_signed(node), None))


def statement(node: ast.stmt, indent: int = 0) -> list[str]:
    """Print a statement as lines without line ends, `indent` levels of 4 spaces deep.

    Raises:
        ValueError: the node is outside the supported set, or holds inf or nan.
    """
    return _statement(_signed(node), indent)


def body(nodes: Sequence[ast.stmt], indent: int) -> list[str]:
    """Print statements in order, with ruff's blank lines around functions.

    At `indent` 0 they are a module, deeper the body of a function.

    Raises:
        ValueError: a node is outside the supported set, or holds inf or nan.
    """
    return _body([_signed(node) for node in nodes], indent)


_Node = TypeVar("_Node", bound=ast.AST)


class _Signs(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        value = node.value
        if isinstance(value, int | float) and math.copysign(1, value) < 0:
            return ast.UnaryOp(ast.USub(), ast.Constant(-value))
        return node


def _signed(node: _Node) -> _Node:
    """The node with negative constants as Python parses them: a sign and a number."""
    signed: _Node = _Signs().visit(copy.deepcopy(node))
    return signed


def _body(nodes: Sequence[ast.stmt], indent: int, block: bool = False) -> list[str]:
    """Print a body; a function that opens a `block` (an if, a for) is set off."""
    lines: list[str] = []
    before: ast.stmt | None = None
    for node in nodes:
        function = isinstance(node, ast.FunctionDef)
        if before is None:
            empty = int(block and function)
        elif function or _ends_in_function(before):
            empty = 2 if indent == 0 else 1
        else:
            empty = int(indent == 0 and len(lines) > 0 and _is_docstring(before))
        lines += [""] * empty + _statement(node, indent)
        before = node
    return lines


def _ends_in_function(node: ast.stmt) -> bool:
    match node:
        case ast.If() | ast.For():
            return _ends_in_function((node.orelse or node.body)[-1])
        case _:
            return isinstance(node, ast.FunctionDef)


def _is_docstring(node: ast.stmt) -> bool:
    match node:
        case ast.Expr(ast.Constant(str())):
            return True
        case _:
            return False


def _statement(node: ast.stmt, indent: int) -> list[str]:
    match node:
        case ast.Expr(ast.Constant(str(text))):
            return docstring(text, INDENT * indent)
        case ast.FunctionDef(body=nodes):
            return [*render(_head(node), indent), *_body(nodes, indent + 1)]
        case ast.If():
            return _if(node, indent, "if ")
        case ast.For(target, iterable, nodes, []):
            doc: Doc = ("for ", _target(target), " in ", _value(iterable), ":")
            return [*render(doc, indent), *_body(nodes, indent + 1, block=True)]
        case _:
            return render(_simple(node), indent)


def _if(node: ast.If, indent: int, keyword: str) -> list[str]:
    lines = render((keyword, _value(node.test), ":"), indent)
    lines += _body(node.body, indent + 1, block=True)
    match node.orelse:
        case []:
            return lines
        case [ast.If() as other]:
            return lines + _if(other, indent, "elif ")
        case orelse:
            lines += render("else:", indent)
            return lines + _body(orelse, indent + 1, block=True)


def _simple(node: ast.stmt) -> Doc:
    match node:
        case ast.Pass():
            return "pass"
        case ast.Return(None):
            return "return"
        case ast.Return(ast.Tuple(elts)) if len(elts) > 1:
            return ("return ", _bare_tuple(elts, fit_inside=len(elts) == 2))
        case ast.Return(ast.expr() as value):
            return ("return ", _value(value))
        case ast.Expr(value):
            return _expression_statement(value)
        case ast.Raise(exc, cause):
            raised: Doc = (" ", _value(exc, helpful=False)) if exc else ""
            origin: Doc = (" from ", _value(cause, helpful=False)) if cause else ""
            return ("raise", raised, origin)
        case ast.Assign([target], value):
            return _assignment(target, "=", value)
        case ast.AugAssign(target, op, value):
            return _assignment(target, OPERATORS[type(op)][0] + "=", value)
        case ast.AnnAssign(target, annotation, None):
            return (expression_doc(target, None), ": ", _value(annotation))
        case ast.AnnAssign(target, annotation, ast.expr() as value):
            left = (expression_doc(target, None), ": ")
            if is_splittable(annotation):
                return (left, _right_to_left(_annotation(annotation), "=", value))
            return (left, expression_doc(annotation, None), " = ", _value(value))
        case _:
            raise ValueError(f"no layout for {type(node).__name__}")


# Values: when optional parentheses appear


def _value(node: ast.expr, helpful: bool = True) -> Doc:
    """A value at the end of a statement, parenthesised if it breaks and needs it.

    `helpful`: also where that is only to make a name or a number fit.
    """
    needs = needs_parentheses(node)
    if isinstance(node, ast.Lambda):
        return parenthesize_if_broken(lambda_doc(node, INSIDE, assigned=True))
    if needs is Needs.PARENTHESES:
        return _parenthesized_if_needed(node)
    if needs is Needs.PARENTHESES_IF_THEY_HELP and helpful:
        id = GroupId()
        return BestFitParentheses(expression_doc(node, id), id)
    return expression_doc(node, None)


def _parenthesized_if_needed(node: ast.expr) -> Doc:
    if can_omit_parentheses(node):
        id = GroupId()
        return optional_parentheses(expression_doc(node, id), id)
    return parenthesize_if_broken(expression_doc(node, INSIDE))


def _bare_tuple(elts: Sequence[ast.expr], fit_inside: bool) -> Doc:
    """A tuple whose parentheses appear only where it spreads over lines."""
    if fit_inside:
        id = GroupId()
        items = [expression_doc(node, id) for node in elts]
        return optional_parentheses(comma_separated(items), id)
    return parenthesize_if_broken(each(elts))


def _expression_statement(node: ast.expr) -> Doc:
    arithmetic = ast.BitOr | ast.BitXor | ast.LShift | ast.RShift | ast.Add | ast.Sub
    if isinstance(node, ast.BinOp) and isinstance(node.op, arithmetic):
        return _parenthesized_if_needed(node)
    return expression_doc(node, None)


# Assignments


def _target(node: ast.expr) -> Doc:
    """The target of a `for`."""
    if isinstance(node, ast.Tuple) and len(node.elts) > 1:
        return _bare_tuple(node.elts, fit_inside=True)
    return _value(node)


def _assignment(target: ast.expr, operator: str, value: ast.expr) -> Doc:
    if isinstance(target, ast.Tuple) and len(target.elts) > 1:
        left = _bare_tuple(target.elts, fit_inside=False)
        return _right_to_left(left, operator, value)
    left = expression_doc(target, None)
    if own_brackets(target) is not None:
        return _right_to_left(left, operator, value)
    return (left, f" {operator} ", _value(value))


def _annotation(node: ast.expr) -> Doc:
    if own_brackets(node) is not None or isinstance(node, ast.Attribute):
        return expression_doc(node, None)
    return _parenthesized_if_needed(node)


def _right_to_left(left: Doc, operator: str, value: ast.expr) -> Doc:
    """Break the value before the target; no parentheses beside a broken target."""
    left_flat: Doc = (left, f" {operator} ")
    if needs_parentheses(value) is not Needs.PARENTHESES_IF_THEY_HELP:
        return (left_flat, _value(value))
    plain = expression_doc(value, None)
    broken = ("(", Group(soft_block(plain), expand=True), ")")
    variants: list[Doc] = [(left_flat, plain)]
    if isinstance(value, POSTFIX):
        variants.append((left_flat, Group(plain, expand=True)))
    variants.append((left_flat, broken))
    variants.append((Group(left, expand=True), f" {operator} ", plain))
    return BestFitting(tuple(variants))


# Functions


def _head(node: ast.FunctionDef) -> Doc:
    if node.decorator_list:
        raise ValueError("no layout for a decorator")
    docs = parameters(node.args)
    single = len(docs) == 1 and not node.args.posonlyargs
    inner = comma_separated(docs, always=True)
    listed: Doc = ("(", soft_block(inner if single else Group(inner)), ")")
    result: Doc = (" -> ", _result(node.returns, bool(docs))) if node.returns else ""
    return ("def ", node.name, Group((listed if docs else "()", result)), ":")


def _result(returns: ast.expr, listed: bool) -> Doc:
    needs = needs_parentheses(returns)
    if needs is Needs.PARENTHESES_IF_THEY_HELP:
        if not listed:
            return _parenthesized_if_needed(returns)
        if isinstance(returns, ast.Subscript):
            return expression_doc(returns, None)
    return _value(returns)
