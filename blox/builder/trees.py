"""Expressions as trees: names and numbers, and what was done with them.

A tree is a `Symbol`, a number, or a tuple `(operator, tree, ...)`.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeAlias

from blox.schema.expressions import parse
from blox.schema.rendering import render

Tree: TypeAlias = Any


class Scope(Protocol):
    """The call of a function that a symbol belongs to."""

    bindings: dict[Symbol, Tree]
    """What each symbol is to the caller: an expression there, or a number."""
    static: dict[str, Any]
    """The arguments that are no values."""
    is_body: bool
    """True where calls of the function are written as nodes of an op."""


class Symbol:
    """A name in an expression, with the number that it stands for while one writes.

    Args:
        name: the name that it is written by.
        value: an integer or a float; of a dim, JAX's symbolic size.
        trace: the call of a function that it belongs to; None for attributes of the
            Graph.
        at: of a dim, the input and axis that bind it.
    """

    __slots__ = ("at", "name", "trace", "value")

    def __init__(
        self,
        name: str,
        value: Any,
        trace: Scope | None = None,
        at: tuple[str, int] | None = None,
    ) -> None:
        self.name, self.value, self.trace, self.at = name, value, trace, at

    @property
    def is_dim(self) -> bool:
        return self.at is not None

    def __repr__(self) -> str:
        return self.name


def is_number(tree: Tree) -> bool:
    return isinstance(tree, (int, float))


def _least(*parts: Any) -> Any:
    if all(map(is_number, parts)):
        return min(parts)
    from jax.core import min_dim

    return min_dim(*parts)


def _greatest(*parts: Any) -> Any:
    if all(map(is_number, parts)):
        return max(parts)
    from jax.core import max_dim

    return max_dim(*parts)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
    "neg": operator.neg,
    "min": _least,
    "max": _greatest,
}
_OF_AST: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
_AST = {sign: kind for kind, sign in _OF_AST.items()}


def symbols(tree: Tree) -> Iterator[Symbol]:
    """The symbols of a tree, as often as they stand in it."""
    if isinstance(tree, Symbol):
        yield tree
    elif isinstance(tree, tuple):
        for part in tree[1:]:
            yield from symbols(part)


def speaks_of_dims(tree: Tree) -> bool:
    return any(symbol.is_dim for symbol in symbols(tree))


def without_dims(tree: Tree) -> Iterator[Tree]:
    """The largest parts of a tree that are numbers while one writes."""
    if not speaks_of_dims(tree):
        yield tree
    elif isinstance(tree, tuple):
        for part in tree[1:]:
            yield from without_dims(part)


def pattern_of(tree: Tree) -> str:
    """A tree with marks for its numbers, its dims as the axes that bind them."""
    if not speaks_of_dims(tree):
        return "#"
    if isinstance(tree, Symbol):
        return f"#{tree.at}"
    return f"{tree[0]}({', '.join(map(pattern_of, tree[1:]))})"


def made(operator: str, *parts: Tree) -> Tree:
    """A tree, without what changes nothing: `1 * n`, `n + 0`; numbers are calculated."""
    if all(is_number(part) for part in parts):
        return FUNCTIONS[operator](*parts)
    operator, parts = _in_order(operator, parts)
    first, last = parts[0], parts[-1]
    if operator in "+-" and _is(last, 0) and len(parts) == 2:
        return first
    if operator in ("*", "//", "**") and _is(last, 1):
        return first
    if operator in "+*" and _is(first, 0 if operator == "+" else 1):
        return last
    if operator == "*":
        for a, b in ((first, last), (last, first)):
            # A size that was divided before it is multiplied again: none other fits.
            if isinstance(b, tuple) and b[0] == "//" and b[2] == a and _divides(b):
                return b[1]
    return (operator, *parts)


def _in_order(operator: str, parts: tuple[Tree, ...]) -> tuple[str, tuple[Tree, ...]]:
    """Integers of a sum or a product as one of them: `4 * (width * 2)` as `8 * width`.

    The factor stands in front, as a person would type it, and the summand behind.
    """
    if operator not in ("+", "*", "-") or len(parts) != 2:
        return operator, parts
    tree, number = parts
    if operator != "-" and type(tree) is int:
        tree, number = number, tree
    if type(number) is not int or isinstance(value_of(tree), float):
        return operator, parts  # of floats the order decides the last digits
    if operator == "*":
        if isinstance(tree, tuple) and tree[0] == "*" and type(tree[1]) is int:
            return "*", (tree[1] * number, tree[2])
        return "*", (number, tree)
    offset = number if operator == "+" else -number
    if isinstance(tree, tuple) and tree[0] in ("+", "-") and type(tree[-1]) is int:
        offset += tree[-1] if tree[0] == "+" else -tree[-1]
        tree = tree[1]
    return ("+", (tree, offset)) if offset >= 0 else ("-", (tree, -offset))


def _is(tree: Tree, number: int) -> bool:
    return type(tree) is int and tree == number


def _divides(quotient: Tree) -> bool:
    a, b = (value_of(part) for part in quotient[1:])
    return type(a) is int and type(b) is int and b != 0 and a % b == 0


def value_of(tree: Tree, value: Callable[[Symbol], Any] | None = None) -> Any:
    """The number that a tree is, by what each symbol stands for."""
    if isinstance(tree, Symbol):
        return tree.value if value is None else value(tree)
    if isinstance(tree, tuple):
        return FUNCTIONS[tree[0]](*(value_of(part, value) for part in tree[1:]))
    return tree


def replaced(tree: Tree, by: Mapping[Symbol, Tree]) -> Tree:
    """The tree with other trees in place of symbols."""
    if isinstance(tree, Symbol):
        return by.get(tree, tree)
    if isinstance(tree, tuple):
        return made(tree[0], *(replaced(part, by) for part in tree[1:]))
    return tree


def text_of(tree: Tree, name: Callable[[Symbol], str] = repr) -> str:
    """A tree as a person would type it, with no more parentheses than needed."""
    if isinstance(tree, Symbol):
        return name(tree)
    if not isinstance(tree, tuple):
        return repr(tree)
    return render(_as_syntax(tree, name)).removeprefix("$")


def _as_syntax(tree: Tree, name: Callable[[Symbol], str]) -> ast.expr:
    if isinstance(tree, Symbol):
        return ast.Name(name(tree))
    if not isinstance(tree, tuple):
        negative = tree < 0 or math.copysign(1, tree) < 0
        number = ast.Constant(-tree if negative else tree)
        return ast.UnaryOp(ast.USub(), number) if negative else number
    operator, *parts = tree
    if operator == "*" and _ends_in_a_product(tree):
        first, (_, second, third) = parts
        return _as_syntax(("*", ("*", first, second), third), name)
    trees = [_as_syntax(part, name) for part in parts]
    if operator in ("min", "max"):
        return ast.Call(ast.Name(operator), trees, [])
    if operator == "neg":
        return ast.UnaryOp(ast.USub(), *trees)
    return ast.BinOp(trees[0], _AST[operator](), trees[1])


def _ends_in_a_product(tree: Tree) -> bool:
    """True for integers `3 * (a * b)`, which are typed `3 * a * b`."""
    last = tree[-1]
    is_product = isinstance(last, tuple) and last[0] == "*"
    return is_product and not isinstance(value_of(tree), float)


def tree_of(text: str, lookup: Callable[[str], Tree]) -> Tree:
    """The tree of `"$4 * width"`, with what `lookup` knows by name.

    Raises:
        ExpressionError: it is no expression.
    """
    return _tree(parse(text), lookup)


def tree_of_size(text: str, lookup: Callable[[str], Tree]) -> Tree:
    """The tree of a symbolic size as JAX prints it: `2*batch + floordiv(seq, 2)`."""
    return _tree(ast.parse(text.replace("^", "**"), mode="eval").body, lookup)


def _tree(tree: ast.expr, lookup: Callable[[str], Tree]) -> Tree:
    match tree:
        case ast.Name(id=name):
            return lookup(name)
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(operand=operand):
            return made("neg", _tree(operand, lookup))
        case ast.BinOp(left=left, op=op, right=right):
            parts = (_tree(left, lookup), _tree(right, lookup))
            return made(_OF_AST[type(op)], *parts)
        case ast.Call(func=ast.Name(id=name), args=args):
            name = {"floordiv": "//", "mod": "%"}.get(name, name)
            return made(name, *(_tree(arg, lookup) for arg in args))
    raise AssertionError(ast.dump(tree))
