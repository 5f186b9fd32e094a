"""Attributes and dims of the spec as source: constants, keywords, sizes of arrays."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ...schema.expressions import evaluate, names, parse
from ...schema.fields import is_expression
from ..nodes import Keyword, call, literal, name, names_in, subscript
from ..plan import Plan


@dataclass(frozen=True)
class Numbers:
    """What the names in the expressions of one function stand for."""

    plan: Plan

    def value(self, value: Any, kind: Literal["int", "float"] = "float") -> ast.expr:
        """A number, an expression, or a list of them."""
        if isinstance(value, list | tuple):
            return ast.Tuple([self.value(v, kind) for v in value])
        if not is_expression(value):
            return literal(value)
        written = self.plan.written
        used = names(value)
        if all(n in written and not names_in(written[n]) for n in used):
            return literal(evaluate(value, self.plan.uniform, kind))
        return self.expression(parse(value))

    def expression(self, tree: ast.expr) -> ast.expr:
        """An expression of the spec in Python."""
        return spelled(tree, self._name)

    def _name(self, text: str) -> ast.expr:
        if text in self.plan.written:
            return self.plan.written[text]
        if text in self.plan.varying:
            return Keyword(text)
        source, axis = self.plan.first.dims[text]
        return subscript(ast.Attribute(name(source), "shape"), axis)


def spelled(tree: ast.expr, name: Callable[[str], ast.expr]) -> ast.expr:
    """An expression of the spec in Python, given what its names stand for."""
    match tree:
        case ast.Name(id=text):
            return name(text)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            base, power = spelled(left, name), spelled(right, name)
            if not isinstance(power, ast.UnaryOp) and not _is_float(power):
                base = call("float", [base])  # as it is in the spec
            return ast.BinOp(base, ast.Pow(), power)
        case ast.BinOp(left=left, op=op, right=right):
            return ast.BinOp(spelled(left, name), op, spelled(right, name))
        case ast.UnaryOp(op=op, operand=operand):
            return ast.UnaryOp(op, spelled(operand, name))
    return tree


def _is_float(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, float)
