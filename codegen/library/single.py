"""Functions that come down to one expression, which stands in place of their calls."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from ..nodes import clone, is_read
from ..walk import children, walk
from .fold import Folder

_LEAVES = 8
"""Names and numbers that an expression in place of a call may have."""
_SCOPES = (ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp, ast.Lambda)


def expression_of(body: list[ast.stmt]) -> ast.expr | None:
    """What a body returns, if it does nothing else and binds no names."""
    match [s for s in body if not _is_docstring(s)]:
        case [ast.Return(value=ast.expr() as value)]:
            if not any(isinstance(n, _SCOPES) for n in walk(value)):
                return value
    return None


def is_small(value: ast.expr) -> bool:
    leaves = sum(isinstance(n, ast.Name | ast.Constant) for n in walk(value))
    return leaves <= _LEAVES


def passes_on(value: ast.expr, parameters: set[str]) -> bool:
    """True of the call of one function of JAX with just these parameters, each once."""
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute):
        return False
    given = [*value.args, *(k.value for k in value.keywords)]
    names = [a.id for a in given if isinstance(a, ast.Name)]
    return len(names) == len(given) and sorted(names) == sorted(parameters)


def put_in(
    template: ast.expr, operands: Mapping[str, ast.expr], others: Mapping[str, ast.expr]
) -> ast.expr | None:
    """The expression over these values, None where they would compute in another order.

    Operands that compute something have to stand there once, in order, and before all
    else that it computes.
    """
    computed = [k for k, v in operands.items() if not is_read(v)]
    if computed and _computed_first(template, computed) != computed:
        return None
    result: ast.expr = Folder({**operands, **others}).visit(clone(template))
    return result


def _computed_first(template: ast.expr, names: list[str]) -> list[str]:
    """Those of `names` that are read before anything is computed of another one."""
    found: list[str] = []
    open_ = True

    def visit(node: ast.expr) -> None:
        nonlocal open_
        if isinstance(node, ast.Name):
            if node.id in names:
                found.append(node.id if open_ else "")
            return
        for child in children(node):
            if isinstance(child, ast.expr | ast.keyword):
                visit(child.value if isinstance(child, ast.keyword) else child)
        if not isinstance(node, ast.Constant | ast.Attribute | ast.Tuple | ast.List):
            open_ = False

    visit(template)
    return found


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
