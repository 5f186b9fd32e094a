"""The nodes of a syntax tree, as `ast.walk` has them but for `ctx`, and much faster."""

from __future__ import annotations

import ast

_PLAIN = {"ctx", "id", "attr", "arg", "kind", "type_comment", "level", "module"}
"""Fields that hold no nodes, or what says of a name whether it is read or written."""


_fields_of: dict[type[ast.AST], tuple[str, ...]] = {}
"""By kind of node, the fields that may hold others."""


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    found = tuple(field for field in kind._fields if field not in _PLAIN)
    return () if issubclass(kind, ast.Constant) else found


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes right below one, in the order of its fields."""
    found: list[ast.AST] = []
    kind = type(node)
    fields = _fields_of.get(kind)
    if fields is None:
        fields = _fields_of[kind] = _fields(kind)
    for field in fields:
        value = getattr(node, field, None)
        if isinstance(value, ast.AST):
            found.append(value)
        elif isinstance(value, list):
            found += [v for v in value if isinstance(v, ast.AST)]
    return found


def walk(node: ast.AST) -> list[ast.AST]:
    """A node and all below it, from the top down."""
    found = [node]
    for each in found:
        found += children(each)
    return found


def dumped(node: ast.AST) -> str:
    """The same text for trees that are alike, and for no others; for keys."""
    match node:
        case ast.Constant(value=value):
            return repr(value)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return f"{type(node).__name__}({','.join(map(dumped, parts))})"
    return ast.dump(node)
