"""Expressions and statements in the source of an op, as partial evaluation sees them."""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence

from ..nodes import infinite, is_atom, is_stored
from ..walk import walk

_MOST_TIMES = 8
"""How often the items of a list may be written."""


def is_known(value: ast.expr) -> bool:
    """A number, a text, a name, or a list of them; a list of texts reads well as it is."""
    match value:
        case ast.Constant() | ast.Name() | ast.Attribute(value=ast.Name()):
            return True
        case ast.UnaryOp(operand=operand):
            return isinstance(operand, ast.Constant) or infinite(operand) is not None
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            texts = any(
                isinstance(e, ast.Constant) and type(e.value) is str for e in elts
            )
            return not texts and all(map(is_known, elts))
        case ast.Dict(keys=[_, *_] as keys, values=values):
            return all(isinstance(part, ast.Constant) for part in (*keys, *values))
    return False


def joined_lists(node: ast.BinOp) -> ast.expr:
    """Lists that are added or multiplied, as one."""
    match node:
        case ast.BinOp(left=ast.List(elts=a), op=ast.Add(), right=ast.List(elts=b)):
            return ast.List([*a, *b])
        case ast.BinOp(
            left=ast.List(elts=a), op=ast.Mult(), right=ast.Constant(value=int(n))
        ) if n <= _MOST_TIMES and all(map(is_atom, a)):
            return ast.List(copy.deepcopy(a * n))
    return node


def arguments_of(
    call: ast.Call, function: ast.FunctionDef, *, sums: bool = False
) -> dict[str, ast.expr] | None:
    """The arguments of a call by name, if each may stand where its parameter does.

    With `sums` what is calculated of names and numbers may stand there often.
    """
    a = function.args
    names = [p.arg for p in a.args]
    starred = any(isinstance(x, ast.Starred) for x in call.args)
    if (
        starred
        or len(call.args) > len(names)
        or any(k.arg is None for k in call.keywords)
    ):
        return None
    given = dict(zip(names, call.args, strict=False))
    given |= {k.arg: k.value for k in call.keywords if k.arg is not None}
    named = [*names, *(p.arg for p in a.kwonlyargs)]
    defaults = dict(zip(reversed(names), reversed(a.defaults), strict=False))
    defaults |= {
        p.arg: d
        for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True)
        if d is not None
    }
    both = {**defaults, **given}
    if both.keys() != set(named):
        return None
    counts = [n.id for s in function.body for n in walk(s) if isinstance(n, ast.Name)]
    for name, value in both.items():
        easy = is_known(value) or is_atom(value) or (sums and _is_sum(value))
        if not easy and counts.count(name) > 1:
            return None
    return both


def _is_sum(value: ast.expr) -> bool:
    parts = (ast.BinOp, ast.operator, ast.Name, ast.Constant, ast.expr_context)
    return all(isinstance(part, parts) for part in walk(value))


def bound(nodes: Sequence[ast.AST]) -> set[str]:
    names = (n for node in nodes for n in walk(node) if isinstance(n, ast.Name))
    return {n.id for n in names if is_stored(n)}


def filled(body: Sequence[ast.stmt]) -> set[str]:
    found: set[str] = set()
    for node in (n for s in body for n in walk(s)):
        match node:
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store()):
                found.add(name)
            case ast.Expr(ast.Call(func=ast.Attribute(value=ast.Name(id=name)))):
                found.add(name)
    return found


def negated(test: ast.expr) -> ast.expr:
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return inner
    return ast.UnaryOp(ast.Not(), test)


def is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def says_array(annotation: ast.expr | None) -> bool:
    """True of the annotation of what is there, and an array."""
    return isinstance(annotation, ast.Name) and annotation.id == "Array"


def is_rank(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "ndim"


def speaks_of_sizes(node: ast.expr) -> bool:
    return any(isinstance(n, ast.Attribute) and n.attr == "shape" for n in walk(node))


def is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
