"""Short ways to build the `ast` nodes that the generator prints."""

from __future__ import annotations

import ast
import copy
import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from ..schema.syntax import parsed_expression
from .printer import render
from .walk import children, walk

Node = TypeVar("Node", bound=ast.AST)
Statement = TypeVar("Statement", bound=ast.stmt)


class Known(ast.Name):
    """A constant of the file: written by its name, it decides like its number."""

    number: int | float


def known(text: str, number: int | float) -> Known:
    node = Known(text, ast.Load())
    node.number = number
    return node


class Open(ast.Name):
    """A name of which nothing is known until its function is written."""


class Keyword(Open):
    """An attribute of a function, which is an argument of it."""


class Size(Open):
    """A dim of a function, by its name: `source.shape[axis]`."""

    _fields = (*Open._fields, "source", "axis", "rank")
    """Dims of one name are alike where they are read at one place."""
    source: str
    axis: int
    rank: int | None = None
    """Of the source, where its own function does not say it."""


class Dtype(Open):
    """The model's floating type."""


def size(dim: str, source: str, axis: int, rank: int | None = None) -> Size:
    fields: dict[str, Any] = {"source": source, "axis": axis, "rank": rank}
    return Size(dim, **fields)


def name(text: str) -> ast.Name:
    return ast.Name(text)


def dotted(text: str) -> ast.expr:
    """`jax.nn.silu` as attributes of a name."""
    first, *rest = text.split(".")
    node: ast.expr = ast.Name(first)
    for part in rest:
        node = ast.Attribute(node, part)
    return node


INFINITE = {"inf": math.inf, "nan": math.nan}
"""The numbers that are written as attributes of `jnp`."""


def infinite(node: ast.expr) -> float | None:
    """The number that `jnp.inf` or `jnp.nan` is; None of all else."""
    match node:
        case ast.Attribute(value=ast.Name(id="jnp"), attr="inf" | "nan" as text):
            return INFINITE[text]
    return None


def literal(value: Any) -> ast.expr:
    """A number, text, None or a tuple, list or dict of them."""
    match value:
        case tuple():
            return ast.Tuple([literal(v) for v in value])
        case list():
            return ast.List([literal(v) for v in value])
        case dict():
            return ast.Dict(
                [literal(k) for k in value], [literal(v) for v in value.values()]
            )
        case bool() | None | str():
            return ast.Constant(value)
        case int() | float() if value < 0:
            return ast.UnaryOp(ast.USub(), literal(-value))
        case float() if not math.isfinite(value):
            return dotted("jnp.nan" if math.isnan(value) else "jnp.inf")
    return ast.Constant(value)


def call(
    function: ast.expr | str,
    args: Sequence[ast.expr] = (),
    keywords: dict[str, ast.expr] | None = None,
) -> ast.Call:
    target = dotted(function) if isinstance(function, str) else function
    named = [ast.keyword(k, v) for k, v in (keywords or {}).items()]
    return ast.Call(target, [*args], named)


def subscript(value: ast.expr, *keys: str | int) -> ast.expr:
    """`value["a"]["b"]`; a text of digits is the number of a part of a list."""
    for key in keys:
        number = isinstance(key, str) and key.isdecimal()
        value = ast.Subscript(value, literal(int(key) if number else key))
    return value


def tuple_of(items: Sequence[ast.expr]) -> ast.expr:
    """One item as itself, several as a tuple."""
    return items[0] if len(items) == 1 else ast.Tuple(list(items))


def assign(target: ast.expr | str, value: ast.expr) -> ast.Assign:
    node = ast.Name(target) if isinstance(target, str) else target
    return ast.Assign([node], value)


def annotated(target: str, annotation: str, value: ast.expr) -> ast.AnnAssign:
    return ast.AnnAssign(ast.Name(target), annotation_of(annotation), value, simple=1)


@cache
def annotation_of(text: str) -> ast.expr:
    return parsed_expression(text)


def function(
    title: str,
    arguments: Sequence[tuple[str, str, ast.expr | None]],
    keywords: Sequence[tuple[str, str, ast.expr | None]],
    returns: str,
    body: Sequence[ast.stmt],
) -> ast.FunctionDef:
    """A function of (name, annotation, default) arguments, positional and keyword-only."""
    args = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(n, annotation_of(a)) for n, a, _ in arguments],
        kwonlyargs=[ast.arg(n, annotation_of(a)) for n, a, _ in keywords],
        kw_defaults=[d for _, _, d in keywords],
        defaults=[d for _, _, d in arguments if d is not None],
    )
    node = ast.FunctionDef(title, args, list(body), [], annotation_of(returns))
    node.type_params = []  # type: ignore[attr-defined, unused-ignore]
    return node


def lambda_of(names: Sequence[str], body: ast.expr) -> ast.Lambda:
    args = [ast.arg(n) for n in names]
    return ast.Lambda(
        ast.arguments(
            posonlyargs=[], args=args, kwonlyargs=[], kw_defaults=[], defaults=[]
        ),
        body,
    )


def is_stored(node: ast.AST) -> bool:
    """True of what a source gives a value to; nodes that are made here say nothing."""
    return isinstance(getattr(node, "ctx", None), ast.Store)


def names_in(node: ast.AST) -> set[str]:
    return {n.id for n in walk(node) if isinstance(n, ast.Name)}


def renamed(statement: Statement, titles: Mapping[str, str]) -> Statement:
    """One that is called, and calls others, by the names that they have in a file."""
    other = {old: new for old, new in titles.items() if old != new}
    if not other:
        return statement
    new = copy.deepcopy(statement)
    for node in walk(new):
        if isinstance(node, ast.Name):
            node.id = other.get(node.id, node.id)
        elif node is new and isinstance(node, ast.FunctionDef):
            node.name = other.get(node.name, node.name)
    return new


def names_in_order(node: ast.AST) -> list[str]:
    """The names that an expression speaks of, in the order in which it computes."""
    if isinstance(node, ast.Name):
        return [node.id]
    return [n for child in children(node) for n in names_in_order(child)]


def clone(node: Node) -> Node:
    """A copy of a tree, with all that stands on its nodes."""
    new = type(node).__new__(type(node))
    for field, value in vars(node).items():
        if isinstance(value, ast.AST):
            value = clone(value)
        elif isinstance(value, list):
            value = [clone(v) if isinstance(v, ast.AST) else v for v in value]
        setattr(new, field, value)
    return new


def is_same(a: ast.expr, b: ast.expr) -> bool:
    """True of two expressions that are written alike."""
    match a, b:
        case ast.Constant(value=x), ast.Constant(value=y):
            return repr(x) == repr(y)
        case ast.Name(id=x), ast.Name(id=y):
            return bool(x == y)
        case ast.Tuple(elts=x), ast.Tuple(elts=y):
            return len(x) == len(y) and all(map(is_same, x, y))
    return ast.dump(a) == ast.dump(b) or render(a) == render(b)


def is_read(node: ast.expr) -> bool:
    """A local, a number, a part of `params`, or a list of them: computes nothing in JAX."""
    match node:
        case ast.Subscript(value=value, slice=ast.Constant(value=str())):
            return is_read(value)
        case ast.Subscript(value=ast.Subscript() as value, slice=ast.Constant()):
            return is_read(value)  # a copy of several, of a part of `params`
        case ast.Attribute(value=value, attr="shape" | "dtype"):
            return is_read(value)
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            return all(map(is_read, elts))
        case ast.BinOp() | ast.UnaryOp() if not is_atom(node):
            leaves = (n for n in walk(node) if isinstance(n, ast.Name))
            return all(isinstance(n, Known | Open) for n in leaves)
    return is_atom(node)


def is_atom(node: ast.expr) -> bool:
    """A name, a number, or a tuple of them: what may stand anywhere, and twice."""
    match node:
        case ast.UnaryOp(operand=ast.Constant()) | ast.Name() | ast.Constant():
            return True
        case ast.UnaryOp(operand=operand):
            return infinite(operand) is not None
        case ast.Tuple(elts=elts):
            return all(is_atom(e) for e in elts)
    return infinite(node) is not None
