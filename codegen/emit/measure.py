"""How much an expression holds, which decides what may stand in one.

Structure decides, not columns: what is alike is written alike, whatever its names are.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from ..nodes import is_atom

MOST = 4
"""Calls and operators in one expression."""
LONG = 4
"""The same, arrays at `params["a"]["b"]` counted too."""
ARGUMENTS = 5
"""Arguments of a call and of one within it, together; the latter has at most 3."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Of an expression: what it computes."""

    weight: int = 0
    """Calls and operators."""
    calls: bool = False
    arguments: int = 0
    """Those of the call in it that has most; a method's own don't count."""
    size: int = 0
    """The weight, and arrays that lie deep in params."""
    has_two_signs: bool = False
    """`--x`, which readers and linters take for a decrement."""


def measure(node: ast.expr) -> Measure:
    """The measure of an expression of generated code."""
    match node:
        case ast.Name() | ast.Constant():
            return Measure()
        case ast.Call(func=func, args=args, keywords=keywords):
            parts = [func, *args, *(k.value for k in keywords)]
            return _over(1, parts, calls=True, arguments=_arguments(node))
        case ast.BinOp(left=left, right=right):
            return _over(1, [left, right])
        case ast.Compare(left=left, comparators=others):
            return _over(len(others), [left, *others])
        case ast.UnaryOp() if is_atom(node):
            return Measure()
        case ast.UnaryOp(operand=operand):
            return _over(1, [operand], signs=isinstance(operand, ast.UnaryOp))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _over(1, [test, body, orelse])
        case ast.Attribute(value=value) | ast.Starred(value=value):
            return measure(value)
        case ast.Subscript(value=ast.Subscript(value=ast.Name())):
            return Measure(size=1)
        case ast.Subscript(value=value):
            return measure(value)
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            return _over(0, elts)
        case ast.Dict(values=values):
            return _over(0, values)
    return Measure()


def _over(
    weight: int,
    parts: Sequence[ast.expr],
    *,
    calls: bool = False,
    arguments: int = 0,
    signs: bool = False,
) -> Measure:
    size = weight
    for part in parts:
        found = measure(part)
        weight += found.weight
        size += found.size
        calls |= found.calls
        arguments = max(arguments, found.arguments)
        signs |= found.has_two_signs
    return Measure(weight, calls, arguments, size, signs)


def takes_params(node: ast.expr) -> bool:
    """True of the call of a layer, `conv(x, **params["conv"])`."""
    if not isinstance(node, ast.Call):
        return False
    given = [*node.args, *(k.value for k in node.keywords)]
    return any(isinstance(a, ast.Subscript) and _root(a) == "params" for a in given)


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _is_method(call: ast.Call) -> bool:
    """True of `f(x).reshape(...)`, where what is called on something computes."""
    return isinstance(call.func, ast.Attribute) and measure(call.func.value).weight > 0


def _arguments(call: ast.Call) -> int:
    return 1 if _is_method(call) else len(call.args) + len(call.keywords)


def accepts(
    built: ast.expr,
    whole: Measure,
    parts: Sequence[tuple[ast.expr, Measure]],
    more: int,
) -> bool:
    """True where `built` reads well with `parts` in it.

    In the brackets of a call there is room for one call of few arguments, or a pair of
    operators; a method follows what it is called on. What is returned by name has a
    name.

    Args:
        built: the expression.
        whole: its measure.
        parts: what would stand in it, with their measures.
        more: what stands beside it, such as the state that is returned with it.
    """
    if any(part is built for part, _ in parts):
        return more == 0 or whole.weight <= 2
    if whole.weight > MOST or whole.size > LONG or whole.has_two_signs:
        return False
    found = [m for _, m in parts]
    match built:
        case ast.Dict():
            return not any(m.weight for m in found)
        case ast.Tuple():
            return all(m.weight <= 2 for m in found)
        case ast.Call() if not _is_method(built):
            own = _arguments(built) + more
            return all(_nests(m, own) for m in found)
        case ast.Call():
            return all(m.arguments <= 3 for m in found)
    return all(m.arguments <= 4 for m in found)


def _nests(part: Measure, own: int) -> bool:
    """True of what fits into the brackets of a call of `own` arguments."""
    if not part.calls:
        return part.weight <= (2 if own <= 3 else 1)
    few = part.arguments <= 3 and part.arguments + own <= ARGUMENTS
    return part.weight == 1 and few
