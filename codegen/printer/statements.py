"""Statements as documents: which side breaks, and when parentheses appear."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Sequence

from .brackets import (
    INSIDE,
    comma_separated,
    optional_parentheses,
    parenthesize_if_broken,
)
from .documents import BestFitParentheses, BestFitting, Doc, Group, GroupId, soft_block
from .expressions import each, expression_doc, lambda_doc, parameters
from .literals import identifier
from .operators import OPERATORS, POSTFIX, is_negative
from .splitting import (
    Needs,
    can_omit_parentheses,
    is_splittable,
    needs_parentheses,
    own_brackets,
)


def simple_statement(node: ast.stmt) -> Doc:
    """The document of a statement without a body.

    Raises:
        ValueError: a statement outside the set that generated code uses.
    """
    match node:
        case ast.Pass():
            return "pass"
        case ast.Return(None):
            return "return"
        case ast.Return(ast.Tuple(elts)) if len(elts) > 1:
            return ("return ", _bare_tuple(elts, fit_inside=len(elts) == 2))
        case ast.Return(ast.expr() as value):
            return ("return ", _last(value))
        case ast.Expr(value):
            return _expression_statement(value)
        case ast.Raise(exc, cause):
            raised: Doc = (" ", value_doc(exc, helpful=False)) if exc else ""
            origin: Doc = (" from ", value_doc(cause, helpful=False)) if cause else ""
            return ("raise", raised, origin)
        case ast.Assign([target], value):
            return _assignment(target, "=", value)
        case ast.AugAssign(target, op, value):
            return _assignment(target, OPERATORS[type(op)][0] + "=", value)
        case ast.AnnAssign(target, annotation, None):
            return (expression_doc(target, None), ": ", _last(annotation))
        case ast.AnnAssign(target, annotation, ast.expr() as value):
            left = (expression_doc(target, None), ": ")
            if is_splittable(annotation):
                return (left, _right_to_left(_annotation(annotation), "=", value))
            return (left, expression_doc(annotation, None), " = ", _last(value))
        case _:
            raise ValueError(f"no layout for {type(node).__name__}")


# Values: when optional parentheses appear


def value_doc(node: ast.expr, helpful: bool = True) -> Doc:
    """A value at the end of a statement, parenthesised if it breaks and needs it.

    `helpful`: also where that is only to make a name or a number fit.
    """
    needs = needs_parentheses(node)
    if needs is Needs.PARENTHESES:
        return _parenthesized_if_needed(node)
    if needs is Needs.PARENTHESES_IF_THEY_HELP and helpful:
        id = GroupId()
        return BestFitParentheses(expression_doc(node, id), id)
    return expression_doc(node, None)


def _last(node: ast.expr) -> Doc:
    """The value of an assignment or a `return`: only a lambda's body is wrapped."""
    if isinstance(node, ast.Lambda):
        return parenthesize_if_broken(lambda_doc(node, INSIDE, assigned=True))
    return value_doc(node)


def _parenthesized_if_needed(node: ast.expr) -> Doc:
    if can_omit_parentheses(node):
        id = GroupId()
        return optional_parentheses(expression_doc(node, id), id)
    return parenthesize_if_broken(expression_doc(node, INSIDE))


def _bare_tuple(elts: Sequence[ast.expr], fit_inside: bool) -> Doc:
    """A tuple whose parentheses appear only where it spreads over lines."""
    if fit_inside:
        id = GroupId(kept=True)
        items = [expression_doc(node, id) for node in elts]
        return optional_parentheses(comma_separated(items), id)
    return parenthesize_if_broken(each(elts))


def _expression_statement(node: ast.expr) -> Doc:
    arithmetic = ast.BitOr | ast.BitXor | ast.LShift | ast.RShift | ast.Add | ast.Sub
    if isinstance(node, ast.BinOp) and isinstance(node.op, arithmetic):
        return _parenthesized_if_needed(node)
    return expression_doc(node, None)


# Assignments


def for_target(node: ast.expr) -> Doc:
    """The target of a `for`."""
    if isinstance(node, ast.Tuple) and len(node.elts) > 1:
        return _bare_tuple(node.elts, fit_inside=True)
    return value_doc(node)


def _assignment(target: ast.expr, operator: str, value: ast.expr) -> Doc:
    if isinstance(target, ast.Tuple) and len(target.elts) > 1:
        left = _bare_tuple(target.elts, fit_inside=False)
        if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
            return (left, f" {operator} ", _bare_tuple(value.elts, fit_inside=False))
        return _right_to_left(left, operator, value)
    left = expression_doc(target, None)
    if own_brackets(target) is not None:
        return _right_to_left(left, operator, value)
    return (left, f" {operator} ", _last(value))


def _annotation(node: ast.expr) -> Doc:
    if own_brackets(node) is not None or isinstance(node, ast.Attribute):
        return expression_doc(node, None)
    return _parenthesized_if_needed(node)


def _right_to_left(left: Doc, operator: str, value: ast.expr) -> Doc:
    """Break the value before the target; no parentheses beside a broken target."""
    left_flat: Doc = (left, f" {operator} ")
    if not _prefers_broken_target(value):
        return (left_flat, _last(value))
    plain = expression_doc(value, None)
    broken = ("(", Group(soft_block(plain), expand=True), ")")
    variants: list[Doc] = [(left_flat, plain)]
    if isinstance(value, POSTFIX):
        variants.append((left_flat, Group(plain, expand=True)))
    variants.append((left_flat, broken))
    variants.append((Group(left, expand=True), f" {operator} ", plain))
    return BestFitting(tuple(variants))


def _prefers_broken_target(value: ast.expr) -> bool:
    match value:
        case ast.UnaryOp() | ast.Constant(value=builtins.Ellipsis):
            return False
        case ast.Constant(number) if is_negative(number):
            return False
        case _:
            return needs_parentheses(value) is Needs.PARENTHESES_IF_THEY_HELP


# Functions and classes


def class_head(node: ast.ClassDef) -> Doc:
    """`class Name(Base):`."""
    if node.decorator_list or node.keywords or getattr(node, "type_params", None):
        raise ValueError("no layout for a decorator, keywords or type parameters")
    bases: list[Doc] = [expression_doc(base, None) for base in node.bases]
    listed: Doc = ""
    if bases:
        listed = Group(("(", soft_block(comma_separated(bases)), ")"))
    return ("class ", identifier(node.name), listed, ":")


def function_head(node: ast.FunctionDef) -> Doc:
    """`def name(...):`; the parameters break before the result does."""
    if node.decorator_list or getattr(node, "type_params", None):
        raise ValueError("no layout for a decorator or type parameters")
    docs = parameters(node.args)
    single = len(docs) == 1 and not node.args.posonlyargs
    inner = comma_separated(docs, always=True)
    listed: Doc = ("(", soft_block(inner if single else Group(inner)), ")")
    result: Doc = (" -> ", _result(node.returns, bool(docs))) if node.returns else ""
    return (
        "def ",
        identifier(node.name),
        Group((listed if docs else "()", result)),
        ":",
    )


def _result(returns: ast.expr, listed: bool) -> Doc:
    needs = needs_parentheses(returns)
    if needs is Needs.PARENTHESES_IF_THEY_HELP:
        if not listed:
            return _parenthesized_if_needed(returns)
        if isinstance(returns, ast.Subscript):
            return expression_doc(returns, None)
    return value_doc(returns)
