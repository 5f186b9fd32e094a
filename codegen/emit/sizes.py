"""Attributes and dims of the spec as source: constants, keywords, sizes of arrays."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any, Literal

from ...schema.expressions import evaluate, names, parse
from ...schema.fields import is_expression
from ..nodes import call, literal, name, subscript
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
        known = self.plan.uniform
        if all(n in known for n in names(value)):
            return literal(evaluate(value, known, kind))
        return self.expression(parse(value))

    def expression(self, tree: ast.expr) -> ast.expr:
        """An expression of the spec in Python."""
        match tree:
            case ast.Name(id=text):
                return self._name(text)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                base, power = self.expression(left), self.expression(right)
                if not isinstance(power, ast.UnaryOp) and not _is_float(power):
                    base = call("float", [base])  # as it is in the spec
                return ast.BinOp(base, ast.Pow(), power)
            case ast.BinOp(left=left, op=op, right=right):
                return ast.BinOp(self.expression(left), op, self.expression(right))
            case ast.UnaryOp(op=op, operand=operand):
                return ast.UnaryOp(op, self.expression(operand))
        return tree

    def _name(self, text: str) -> ast.expr:
        if text in self.plan.uniform:
            return literal(self.plan.uniform[text])
        if text in self.plan.varying:
            self.plan.needed.add(text)
            return name(text)
        source, axis = self.plan.first.dims[text]
        return subscript(ast.Attribute(name(source), "shape"), axis)


def _is_float(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, float)
