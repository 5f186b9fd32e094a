"""What a function returns: without a detour, and typed where checkers would not know."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence, Set

from ..nodes import annotation_of
from .scopes import usage


def untyped_names(
    names: Mapping[str, str], untyped: Set[str], arguments: Set[str]
) -> set[str]:
    """The names that type checkers may know nothing of; arguments say what they are.

    Args:
        names: of the locals.
        untyped: the locals of which nothing is known.
        arguments: the arguments among them.
    """
    return {
        new
        for old, new in names.items()
        if old in untyped and (old in arguments or new not in arguments)
    }


def typed_return(
    body: Sequence[ast.stmt], untyped: Set[str], kind: str
) -> list[ast.stmt]:
    """`y: Array = ...` where a value of the `y` that is returned has no type.

    Args:
        body: the statements of a function.
        untyped: the names of which nothing is known.
        kind: what the function returns.
    """
    *rest, last = body
    if (short := _short(rest, last)) is not None:
        return short
    match last:
        case ast.Return(value=ast.Name(id=returned)) if returned in untyped:
            pass
        case _:
            return [*body]
    for i, statement in enumerate(rest):
        if returned not in usage(statement).writes:
            continue
        declared = ast.AnnAssign(
            ast.Name(returned), annotation_of(kind), None, simple=1
        )
        match statement:
            case ast.Assign(targets=[ast.Name()], value=value):
                declared.value = value
                return [*rest[:i], declared, *rest[i + 1 :], last]
        return [*rest[:i], declared, *rest[i:], last]
    return [*body]


def _short(rest: Sequence[ast.stmt], last: ast.stmt) -> list[ast.stmt] | None:
    """`return f(x)` for `a, b = f(x)` and `return a, b`."""
    match rest, last:
        case (
            [
                *before,
                ast.Assign(
                    targets=[ast.Tuple(elts=found)],
                    value=ast.Call(func=ast.Name()) as value,
                ),
            ],
            ast.Return(value=ast.Tuple(elts=returned)),
        ):
            names = [n.id if isinstance(n, ast.Name) else "" for n in found]
            same = names == [
                n.id if isinstance(n, ast.Name) else None for n in returned
            ]
            return [*before, ast.Return(value)] if same else None
    return None
