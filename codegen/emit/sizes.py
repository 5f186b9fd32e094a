"""Attributes and dims of the spec as source: constants, keywords, sizes of arrays."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal

from ...schema.expressions import evaluate, names, operands, parse
from ...schema.fields import is_expression
from ...schema.undecided import tree_kind
from ..nodes import Keyword, call, literal, names_in, size
from ..plan import Plan

Extreme = Callable[[ast.expr, str, list[ast.expr]], ast.expr]
"""What min or max is written as: of its tree, its name, and its parts in Python."""


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
        return spelled(tree, self._name, self._extreme)

    def _extreme(self, tree: ast.expr, which: str, parts: list[ast.expr]) -> ast.expr:
        """min or max; of sizes by JAX's own function, which knows symbolic ones too."""
        first = self.plan.first
        sizes = any(n in first.dims for n in names_in(tree))
        if not sizes or tree_kind(tree, first.values) == "float":
            return call(which, parts)
        return reduce(lambda a, b: call(f"{which}_dim", [a, b]), parts)

    def _name(self, text: str) -> ast.expr:
        if text in self.plan.written:
            return self.plan.written[text]
        if text in self.plan.varying:
            return Keyword(text)
        return size(text, *self.plan.first.dims[text])


def spelled(
    tree: ast.expr, name: Callable[[str], ast.expr], extreme: Extreme
) -> ast.expr:
    """An expression of the spec in Python, given what its names, min and max stand for."""
    parts = [spelled(part, name, extreme) for part in operands(tree)]
    match tree:
        case ast.Name(id=text):
            return name(text)
        case ast.BinOp(op=op):
            return ast.BinOp(parts[0], op, parts[1])
        case ast.UnaryOp(op=op):
            return ast.UnaryOp(op, parts[0])
        case ast.Call(func=ast.Name(id=text)):
            return extreme(tree, text, parts)
    return tree
