"""Expressions: `$name`, `$width // heads`, `$head_dim ** -0.5`, `$min(heads, 8)`.

Names, numbers, parentheses, `+ - * // % **`, unary minus, `min` and `max`; `/` where the
field is a float. All mean what they mean in Python, but that `min` and `max` take
integers alone or floats alone. Values stay within 64 bits. Nothing but these is ever
evaluated.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, reduce
from typing import Any, Literal

from .syntax import parsed_expression

MAX_LENGTH = 256
INT64 = 2**63
Kind = Literal["int", "float"]

_TOKEN = re.compile(
    r" *(?:[A-Za-z]\w*|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])"
    r"|\*\*|//|[-+*/%()]|,(?! *\))) *",
    re.ASCII,
)
_PARTS = "names, numbers, parentheses, + - * // / % **, min and max"
_INT_OPS: dict[type[ast.operator], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: lambda base, exponent: _power(base, exponent),
}
_FLOAT_OPS = _INT_OPS | {ast.Div: operator.truediv}
INFINITE = {"$inf": math.inf, "$-inf": -math.inf, "$nan": math.nan}
"""Texts for the numbers that JSON has none for; they are a whole value, part of none."""
EXTREMES: dict[str, Callable[..., Any]] = {"min": min, "max": max}
"""What the functions are. Of sizes that are not known yet, JAX has others."""


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
    if text in INFINITE:
        return ast.Constant(INFINITE[text])
    body = text.removeprefix("$").strip(" ")
    if not body or len(text) > MAX_LENGTH:
        raise ExpressionError(f"expected an expression of 1 to {MAX_LENGTH} characters")
    position = 0
    while position < len(body):
        token = _TOKEN.match(body, position)
        if token is None:
            raise ExpressionError(f"expected {_PARTS}")
        position = token.end()
    try:
        tree = parsed_expression(body)
    except (SyntaxError, RecursionError, MemoryError, ValueError):
        raise ExpressionError("expected a well-formed expression") from None
    _check(tree)
    return tree


def _check(tree: ast.expr) -> None:
    match tree:
        case ast.Name(id="inf" | "nan"):
            raise ExpressionError(
                "expected inf and nan as a whole value alone: $inf, $-inf or $nan"
            )
        case ast.Name(id=name) if name not in EXTREMES:
            pass
        case ast.Constant(value=bool()):
            raise ExpressionError(f"expected {_PARTS}")
        case ast.Constant(value=int() | float() as value) if abs(value) < INT64:
            pass
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _FLOAT_OPS:
            _check(left)
            _check(right)
        case ast.Call(func=ast.Name(id=name) as function, args=args):
            # `(min)(a, b)` is the same tree, but for where the name stands.
            if name not in EXTREMES or function.col_offset != tree.col_offset:
                raise ExpressionError("expected no function but min and max")
            if len(args) < 2:
                raise ExpressionError(f"expected {name} of at least two values")
            for arg in args:
                _check(arg)
        case _:
            raise ExpressionError(f"expected {_PARTS}")


@lru_cache(maxsize=4096)
def names(text: str) -> tuple[str, ...]:
    """The names that an expression uses, in order of first use."""
    return tuple(dict.fromkeys(_names(parse(text))))


def _names(tree: ast.expr) -> Iterator[str]:
    if isinstance(tree, ast.Name):
        yield tree.id
    for part in operands(tree):
        yield from _names(part)


def operands(tree: ast.expr) -> list[ast.expr]:
    """What an operation or a function is applied to; nothing for names and numbers."""
    match tree:
        case ast.UnaryOp(operand=operand):
            return [operand]
        case ast.BinOp(left=left, right=right):
            return [left, right]
        case ast.Call(args=args):
            return args
    return []


def evaluate(
    text: str,
    values: Mapping[str, Any],
    kind: Kind = "int",
    extremes: Mapping[str, Callable[[Any, Any], Any]] = EXTREMES,
) -> Any:
    """The value of an expression over `values`: an int, or a float where allowed.

    Sizes that are not known yet (JAX's symbolic dimensions) pass through `+ - * // %`,
    through `**` of an integer, and through `extremes`, which are what min and max mean.

    Raises:
        ExpressionError: an unknown name, a division by zero, a value beyond 64 bits,
            or `/` and fractions where an integer is expected.
    """
    return value_of(parse(text), values, kind, extremes)


def value_of(
    tree: ast.expr,
    values: Mapping[str, Any],
    kind: Kind,
    extremes: Mapping[str, Callable[[Any, Any], Any]] = EXTREMES,
) -> Any:
    """As `evaluate`, of a tree that `parse` gave."""
    match tree:
        case ast.Name(id=name):
            if name not in values:
                raise ExpressionError(f"no attribute or dim is named {name!r} here")
            return _bounded(values[name], kind)
        case ast.Constant(value=float() as value) if not math.isfinite(value):
            if kind == "int":
                raise ExpressionError(f"expected an integer, found {value!r}")
            return value  # one of INFINITE
        case ast.Constant(value=value):
            return _bounded(value, kind)
        case ast.UnaryOp(operand=operand):
            return _bounded(-value_of(operand, values, kind, extremes), kind)
        case ast.BinOp(left=left, op=op, right=right):
            function = (_INT_OPS if kind == "int" else _FLOAT_OPS).get(type(op))
            if function is None:
                raise ExpressionError("expected no / where an integer stands")
            a = value_of(left, values, kind, extremes)
            b = value_of(right, values, kind, extremes)
            try:
                return _bounded(function(a, b), kind)
            except ZeroDivisionError:
                raise ExpressionError("division by zero") from None
            except OverflowError:
                raise ExpressionError("a value beyond 64 bits") from None
        case ast.Call(func=ast.Name(id=name), args=args):
            parts = [value_of(arg, values, kind, extremes) for arg in args]
            check_alike([isinstance(part, float) for part in parts], name)
            return reduce(extremes[name], parts)
    raise AssertionError("parse() admits nothing else")


def check_alike(floats: list[bool], name: str) -> None:
    """Refuses integers and floats together: of which kind the result is would hang on
    which is less."""
    if any(floats) and not all(floats):
        raise ExpressionError(
            f"expected {name} of integers alone or of floats alone, found both"
        )


def _power(base: Any, exponent: Any) -> Any:
    """As in Python; what is beyond 64 bits is not computed."""
    if isinstance(base, int) and isinstance(exponent, int):
        if exponent < 0:
            return float(base) ** exponent
        if exponent > 63 and abs(base) > 1:
            raise OverflowError
    return base**exponent


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
