"""Expressions: `$name`, `$width // heads`, `$head_dim ** -0.5`.

Names, numbers, parentheses, `+ - * //` and unary minus; `/` and `**` where the field is
a float. Values stay within 64 bits. Nothing but these is ever evaluated.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

from .syntax import parsed_expression

MAX_LENGTH = 256
INT64 = 2**63
Kind = Literal["int", "float"]

_TOKEN = re.compile(
    r" *(?:[A-Za-z]\w*|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|\*\*|//|[-+*/()]) *",
    re.ASCII,
)
_INT_OPS: dict[type[ast.operator], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}
_FLOAT_OPS = _INT_OPS | {ast.Div: operator.truediv, ast.Pow: operator.pow}


class ExpressionError(ValueError):
    """An expression that is none, or that has no value; in `field` of an op, if any."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.message = message
        self.field = field


class BoundError(ExpressionError):
    """The value of an expression, where it is too small."""


@lru_cache(maxsize=4096)
def parse(text: str) -> ast.expr:
    """The tree of an expression, `text` with or without its leading `$`."""
    body = text.removeprefix("$").strip(" ")
    if not body or len(text) > MAX_LENGTH:
        raise ExpressionError(f"expected an expression of 1 to {MAX_LENGTH} characters")
    position = 0
    while position < len(body):
        token = _TOKEN.match(body, position)
        if token is None:
            raise ExpressionError(
                "expected names, numbers, parentheses and + - * // / **"
            )
        position = token.end()
    try:
        tree = parsed_expression(body)
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        raise ExpressionError("expected a well-formed expression") from None
    _check(tree)
    return tree


def _check(tree: ast.expr) -> None:
    match tree:
        case ast.Name():
            pass
        case ast.Constant(value=bool()):
            raise ExpressionError("expected names, numbers and + - * // / **")
        case ast.Constant(value=int() | float() as value) if abs(value) < INT64:
            pass
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _FLOAT_OPS:
            _check(left)
            _check(right)
        case _:
            raise ExpressionError("expected names, numbers and + - * // / **")


@lru_cache(maxsize=4096)
def names(text: str) -> tuple[str, ...]:
    """The names that an expression uses, in order of first use."""
    found = [n for n in ast.walk(parse(text)) if isinstance(n, ast.Name)]
    return tuple(dict.fromkeys(n.id for n in sorted(found, key=_column)))


def _column(tree: ast.expr) -> int:
    return tree.col_offset


def evaluate(text: str, values: Mapping[str, Any], kind: Kind = "int") -> Any:
    """The value of an expression over `values`: an int, or a float where allowed.

    Sizes that are not known yet (JAX's symbolic dimensions) pass through `+ - * //`.

    Raises:
        ExpressionError: an unknown name, a division by zero, a value beyond 64 bits,
            or `/`, `**` and fractions where an integer is expected.
    """
    return _value(parse(text), values, kind)


def _value(tree: ast.expr, values: Mapping[str, Any], kind: Kind) -> Any:
    match tree:
        case ast.Name(id=name):
            if name not in values:
                raise ExpressionError(f"no attribute or dim is named {name!r} here")
            return _bounded(values[name], kind)
        case ast.Constant(value=value):
            return _bounded(value, kind)
        case ast.UnaryOp(operand=operand):
            return _bounded(-_value(operand, values, kind), kind)
        case ast.BinOp(left=left, op=op, right=right):
            function = (_INT_OPS if kind == "int" else _FLOAT_OPS).get(type(op))
            if function is None:
                raise ExpressionError("expected only + - * // where an integer stands")
            a, b = _value(left, values, kind), _value(right, values, kind)
            if isinstance(op, ast.Pow):
                a, b = float(a), float(b)
            try:
                return _bounded(function(a, b), kind)
            except ZeroDivisionError:
                raise ExpressionError("division by zero") from None
            except OverflowError:
                raise ExpressionError("a value beyond 64 bits") from None
    raise AssertionError("parse() admits nothing else")


def _bounded(value: Any, kind: Kind) -> Any:
    if isinstance(value, bool):
        raise ExpressionError("expected a number, found a boolean")
    if isinstance(value, complex):
        raise ExpressionError("a power of a negative number is no real number")
    if isinstance(value, float) and kind == "int":
        raise ExpressionError(f"expected an integer, found {value!r}")
    if isinstance(value, (int, float)) and not (
        math.isfinite(value) and -INT64 <= value < INT64
    ):
        raise ExpressionError("a value beyond 64 bits")
    return value
