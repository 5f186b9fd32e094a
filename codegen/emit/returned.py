"""What a function returns, typed where type checkers would not know."""

from __future__ import annotations

import ast
from collections.abc import Sequence, Set

from ..nodes import dotted
from .scopes import usage


def typed_return(body: Sequence[ast.stmt], untyped: Set[str]) -> list[ast.stmt]:
    """`y: Array = ...` where the first value of the `y` that is returned has no type."""
    *rest, last = body
    match last:
        case ast.Return(value=ast.Name(id=returned)) if returned in untyped:
            pass
        case _:
            return [*body]
    for i, statement in enumerate(rest):
        if returned not in usage(statement).writes:
            continue
        declared = ast.AnnAssign(ast.Name(returned), dotted("Array"), None, simple=1)
        match statement:
            case ast.Assign(targets=[ast.Name()], value=value):
                declared.value = value
                return [*rest[:i], declared, *rest[i + 1 :], last]
        return [*rest[:i], declared, *rest[i:], last]
    return [*body]
