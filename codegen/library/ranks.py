"""The number of axes of an expression, and indices written for it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

_ELEMENTWISE = frozenset(("abs", "exp", "log", "sin", "cos", "sqrt", "square", "tanh"))


def rank(node: ast.expr, facts: Mapping[str, Any]) -> int | None:
    """The axes of an array, where what is known of its operands says so."""
    match node:
        case ast.Name(id=text):
            found = facts.get(f"{text}.ndim")
            return found if type(found) is int else None
        case ast.Constant(value=bool() | int() | float()):
            return 0
        case ast.BinOp(left=left, right=right):
            return _widest(left, right, facts)
        case ast.Compare(left=left, comparators=[right]):
            return _widest(left, right, facts)
        case ast.Subscript(value=value, slice=index):
            axes = rank(value, facts)
            parts = _parts(index)
            if axes is None or not all(map(_is_plain, parts)):
                return None
            new = sum(_is(part, None) for part in parts)
            gone = sum(
                not isinstance(p, ast.Slice) and not _is(p, None, ...) for p in parts
            )
            return axes + new - gone
        case ast.Call(func=ast.Attribute(value=value, attr="astype")):
            return rank(value, facts)
        case ast.Call(func=ast.Attribute(ast.Name("jnp"), name), args=[value]):
            return rank(value, facts) if name in _ELEMENTWISE else None
    return None


def _widest(a: ast.expr, b: ast.expr, facts: Mapping[str, Any]) -> int | None:
    left, right = rank(a, facts), rank(b, facts)
    return None if left is None or right is None else max(left, right)


def without_ellipsis(node: ast.Subscript, facts: Mapping[str, Any]) -> ast.expr:
    """An index without `...` where that stands for no axis, and without `:` at its end."""
    axes, parts = rank(node.value, facts), _parts(node.slice)
    taken = sum(not _is(part, None, ...) for part in parts)
    if axes is None or axes != taken or not all(map(_is_plain, parts)):
        return node
    if not any(_is(part, ...) for part in parts):
        return node
    kept = [part for part in parts if not _is(part, ...)]
    while kept and _is_all(kept[-1]):
        kept.pop()
    if not kept:
        return node.value
    index = kept[0] if len(kept) == 1 else ast.Tuple(kept)
    return ast.Subscript(node.value, index, ast.Load())


def _parts(index: ast.expr) -> list[ast.expr]:
    return index.elts if isinstance(index, ast.Tuple) else [index]


def _is_plain(part: ast.expr) -> bool:
    """A slice, a number, None or `...`: what takes a known number of axes."""
    negative = isinstance(part, ast.UnaryOp) and isinstance(part.operand, ast.Constant)
    return isinstance(part, ast.Slice | ast.Constant) or negative


def _is(part: ast.expr, *values: object) -> bool:
    return isinstance(part, ast.Constant) and any(part.value is v for v in values)


def _is_all(part: ast.expr) -> bool:
    return isinstance(part, ast.Slice) and not (part.lower or part.upper or part.step)
