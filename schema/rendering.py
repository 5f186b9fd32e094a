"""Trees of expressions as the text that a person would type: `$4 * (width + 1)`."""

from __future__ import annotations

import ast
import math
from typing import Final

from .expressions import EXTREMES, MAX_LENGTH, ExpressionError

_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(5)
_OPERATORS: Final[dict[type[ast.operator], tuple[str, int]]] = {
    ast.Add: ("+", _SUM),
    ast.Sub: ("-", _SUM),
    ast.Mult: ("*", _PRODUCT),
    ast.Div: ("/", _PRODUCT),
    ast.FloorDiv: ("//", _PRODUCT),
    ast.Mod: ("%", _PRODUCT),
    ast.Pow: ("**", _POWER),
}


def render(tree: ast.expr) -> str:
    """The text of an expression, with `$` and the fewest parentheses.

    `parse` of it gives an equal tree, but that a negative number is one with a sign.

    Args:
        tree: of names, finite numbers, unary minus, the operators of expressions, and
            calls of `min` and `max`, as `parse` gives it or as someone has put it
            together: `ast.BinOp(ast.Name("width"), ast.FloorDiv(), ast.Constant(2))`.

    Raises:
        ExpressionError: a text of more than 256 characters.
    """
    text = "$" + _text(tree)[0]
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"expected at most {MAX_LENGTH} characters")
    return text


def _text(tree: ast.expr) -> tuple[str, int]:
    """The text, and how strongly its outermost operator binds."""
    match tree:
        case ast.Name(id=name):
            return name, _ATOM
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as value) if math.isfinite(value):
            negative = math.copysign(1, value) < 0
            return repr(value), _SIGN if negative else _ATOM
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return f"-{_within(operand, _SIGN)}", _SIGN
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            sign, binding = _OPERATORS[type(op)]
            power = binding == _POWER
            # All bind to the left but a power, which binds a sign on its right too.
            first = _within(left, _ATOM if power else binding)
            second = _within(right, _SIGN if power else binding + 1)
            return f"{first} {sign} {second}", binding
        case ast.Call(func=ast.Name(id=name), args=args) if name in EXTREMES:
            return f"{name}({', '.join(_text(arg)[0] for arg in args)})", _ATOM
    raise ExpressionError("expected the tree of an expression")


def _within(tree: ast.expr, least: int) -> str:
    text, binding = _text(tree)
    return text if binding >= least else f"({text})"
