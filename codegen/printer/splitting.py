"""Which expressions want parentheses before they spread over lines.

Where optional parentheses appear is ruff's choice (after black's): prefer to break the
last brackets, `x = f(` and so on, and parenthesise where that would look odd.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from .operators import (
    ATOM,
    CONDITION,
    FACTOR,
    POSTFIX,
    PRIMARY,
    break_strength,
    operands,
    strength,
)


class Chain(Enum):
    """Where an expression stands in a chain of calls, subscripts and attributes."""

    ROOT = 0
    FLUENT = 1
    PLAIN = 2


class Needs(Enum):
    """What an expression needs before it may spread over lines."""

    NOTHING = 0
    PARENTHESES = 1
    PARENTHESES_IF_THEY_HELP = 2


def chain_of(node: ast.expr) -> Chain:
    """FLUENT where two attributes follow calls, subscripts or parentheses."""
    dots = 0
    while isinstance(node, POSTFIX):
        ((value, wrapped),) = operands(node)
        if isinstance(node, ast.Attribute):
            dots += wrapped or isinstance(value, ast.Call | ast.Subscript)
        if wrapped:
            break
        node = value
    return Chain.FLUENT if dots >= 2 else Chain.PLAIN


def needs_parentheses(node: ast.expr) -> Needs:
    """What a value needs in order to spread over lines."""
    match node:
        case ast.Name() | ast.Constant():
            return Needs.PARENTHESES_IF_THEY_HELP
        case ast.Attribute() | ast.Call() | ast.Subscript() | ast.UnaryOp():
            if chain_of(node) is Chain.FLUENT:
                return Needs.PARENTHESES
            ((value, wrapped),) = operands(node)
            return Needs.NOTHING if wrapped else needs_parentheses(value)
        case ast.Tuple() | ast.List() | ast.Dict():
            return Needs.NOTHING
        case ast.GeneratorExp() | ast.ListComp() | ast.SetComp() | ast.DictComp():
            return Needs.NOTHING
        case _:
            return Needs.PARENTHESES


def own_brackets(node: ast.expr) -> bool | None:
    """True where the node's own brackets hold something; None without such brackets."""
    match node:
        case ast.Tuple(elts) | ast.List(elts):
            return bool(elts)
        case ast.Dict(keys):
            return bool(keys)
        case ast.Call():
            return bool(node.args or node.keywords)
        case ast.Subscript() | ast.GeneratorExp() | ast.ListComp():
            return True
        case ast.SetComp() | ast.DictComp():
            return True
        case _:
            return None


def is_splittable(node: ast.expr) -> bool:
    """True where a line can break somewhere inside `node`."""
    match node:
        case ast.Name() | ast.Constant() | ast.Slice():
            return False
        case ast.UnaryOp() | ast.Attribute():
            ((value, wrapped),) = operands(node)
            return wrapped or is_splittable(value)
        case ast.Call(func=func):
            return bool(node.args or node.keywords) or strength(func) < PRIMARY
        case ast.Starred(value=inner):
            return is_splittable(inner)
        case _:
            return own_brackets(node) is not False


def can_omit_parentheses(node: ast.expr) -> bool:
    """True where breaking the brackets inside `node` is better than parenthesising it."""
    scan = _Scan()
    scan.inside(node)
    if not scan.brackets or scan.count > 1:
        return False
    if scan.weakest >= _DOT:
        return True
    return any(
        end is not None
        and not isinstance(end[0], ast.Subscript)
        and (own_brackets(end[0]) or end[1])
        for end in (scan.last, scan.first)
    )


_DOT: Final = 15
_End: TypeAlias = tuple[ast.expr, bool] | None


@dataclass
class _Scan:
    """The weakest operators outside brackets, and the two ends of an expression."""

    weakest: int = ATOM
    count: int = 0
    brackets: bool = False
    first: _End = None
    first_is_token: bool = False
    last: _End = None

    def operator(self, strength: int, count: int = 1) -> None:
        if strength < self.weakest:
            self.weakest, self.count = strength, count
        elif strength == self.weakest:
            self.count += count

    def visit(self, node: ast.expr, wrapped: bool = False) -> None:
        self.last = (node, wrapped)
        if wrapped:
            self.brackets = True
        else:
            self.inside(node)
        if self.first is None and not self.first_is_token:
            self.first = (node, wrapped)

    def inside(self, node: ast.expr) -> None:
        match node:
            case ast.Call() | ast.Subscript():
                self.brackets = True
                self.visit(*operands(node)[0])
                self.last = (node, False)
                return
            case ast.Attribute():
                ((value, wrapped),) = operands(node)
                self.visit(value, wrapped)
                if wrapped or own_brackets(value) is not None:
                    self.operator(_DOT)
                self.last = (node, False)
                return
            case ast.BinOp(op=op):
                self.operator(break_strength(op))
            case ast.BoolOp(op=op, values=values):
                self.operator(break_strength(op), len(values) - 1)
            case ast.Compare(ops=ops):
                self.operator(break_strength(ops[0]), len(ops))
            case ast.IfExp():
                self.operator(CONDITION, 2)
            case ast.UnaryOp(op=op):
                if isinstance(op, ast.Invert):
                    self.operator(FACTOR)
                self.first_is_token = self.first_is_token or self.first is None
            case ast.Lambda(args=arguments, body=body):
                self.first_is_token = self.first_is_token or self.first is None
                for default in (*arguments.defaults, *arguments.kw_defaults):
                    if default is not None:
                        self.visit(default)
                self.visit(body)
            case _ if own_brackets(node) is not None:
                self.brackets = True
                return
        for operand, wrapped in operands(node):
            self.visit(operand, wrapped)
