"""What folding leaves, as a person would write it."""

from __future__ import annotations

import ast
import copy
from collections.abc import Sequence, Set

from ..nodes import names_in
from ..printer import remarks, render, set_remarks
from ..walk import walk
from .fold import Folder
from .liveness import without_dead


def tidy(body: list[ast.stmt]) -> list[ast.stmt]:
    """Less what folding left without use, and `y = ...; return y` as one."""
    return _chained(without_dead(body))


def drop_aliases(function: ast.FunctionDef) -> None:
    """Puts `path` for `name` after `name = path`, here and in the functions inside.

    A part of a module, as in `kind = jnp.floating`, likewise where one line reads it.
    """
    for inner in function.body:
        if isinstance(inner, ast.FunctionDef):
            drop_aliases(inner)
    for statement in list(function.body):
        match statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=ast.Name(id=source)):
                once = True
            case ast.Assign(
                targets=[ast.Name(id=target)],
                value=ast.Attribute(value=ast.Name(id=source)),
            ):
                once = _count(function, target, ast.Load) == 1
            case _:
                continue
        fixed = _count(function, target, ast.Store) == 1
        hidden = any(
            isinstance(n, ast.arg) and n.arg == source
            for part in function.body
            for n in walk(part)
        )
        if once and fixed and not (hidden or _count(function, source, ast.Store)):
            function.body.remove(statement)
            function.body = Folder({target: statement.value}).block(function.body)


def _count(tree: ast.AST, name: str, context: type[ast.expr_context]) -> int:
    return sum(
        isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, context)
        for n in walk(tree)
    )


def _chained(body: list[ast.stmt]) -> list[ast.stmt]:
    """`y = a(x)` before `y = b(y)` or `return b(y)` as `b(a(x))`, where that is short."""
    result: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, ast.FunctionDef):
            statement.body = _chained(statement.body)
        result.append(statement)
        while len(result) > 1 and (joined := _joined(*result[-2:])) is not None:
            result[-2:] = [joined]
    return result


def _joined(before: ast.stmt, statement: ast.stmt) -> ast.stmt | None:
    match before, statement:
        case (
            ast.Assign(targets=[ast.Name(id=a)], value=first),
            ast.Assign(targets=[ast.Name(id=b)], value=second),
        ) if a == b:
            return _put(before, first, second, statement)
        case (
            ast.Assign(targets=[ast.Name(id=a)], value=first),
            ast.Return(value=ast.expr() as second),
        ):
            return _put(before, first, second, statement)
    return None


def _put(
    before: ast.Assign, first: ast.expr, second: ast.expr, statement: ast.stmt
) -> ast.stmt | None:
    """`statement` with `first` in place of the local, if it is once and first there."""
    (local,) = before.targets
    assert isinstance(local, ast.Name)
    target = local.id
    found = [n for n in walk(second) if isinstance(n, ast.Name) and n.id == target]
    if len(found) != 1 or not _leads(second, target):
        return None
    new = copy.deepcopy(statement)
    set_remarks(new, remarks(before) | remarks(statement))
    assert isinstance(new, ast.Assign | ast.Return)
    assert new.value is not None
    new.value = Folder({target: first}).visit(new.value)
    if isinstance(second, ast.Name):
        return new
    text = render([new], 1)
    # A function in a function stands four columns further to the right.
    return new if "\n" not in text and len(text) <= 84 else None


def _leads(node: ast.expr, target: str) -> bool:
    """True where nothing is computed before `target` in an expression."""
    while not isinstance(node, ast.Name):
        match node:
            case ast.BinOp(left=inner) | ast.Compare(left=inner):
                node = inner
            case ast.Attribute(value=inner) | ast.Subscript(value=inner):
                node = inner
            case ast.UnaryOp(operand=inner):
                node = inner
            case ast.Call(func=function, args=args):
                if target in names_in(function):
                    node = function
                elif args:
                    node = args[0]
                else:
                    return False
            case _:
                return False
    return node.id == target


def without_asarray(body: Sequence[ast.stmt], arrays: Set[str]) -> list[ast.stmt]:
    """Statements that convert none of these names: `x` for `jnp.asarray(x)`."""
    return [_WithoutAsarray(arrays).visit(s) for s in body]


class _WithoutAsarray(ast.NodeTransformer):
    def __init__(self, arrays: Set[str]) -> None:
        self.arrays = arrays

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="jnp"), attr="asarray"),
                args=[ast.Name(id=text) as name],
                keywords=[],
            ) if text in self.arrays:
                return name
        return node
