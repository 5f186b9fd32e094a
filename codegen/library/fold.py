"""Folding: what attributes decide in the source of an op is decided when it is written."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from ..nodes import clone, infinite, is_stored, literal
from .abstract import Unknown
from .evaluate import Evaluator, floating, is_counted


class Folder(Evaluator, ast.NodeTransformer):
    """Puts values in place of parameters and drops the branches they decide."""

    def __init__(
        self,
        values: Mapping[str, Any],
        present: Sequence[str] = (),
        *,
        put: Mapping[str, ast.expr] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """`values` decide branches; `put`, all of them by default, replace names."""
        super().__init__(values, present, facts)
        if put is None:
            put = {k: v for k, v in values.items() if isinstance(v, ast.expr)}
        self.put = put

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self.put.get(node.id)
        return clone(value) if value is not None else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        if floating(node) and self._is_float(node):
            return ast.Attribute(self.visit(node.args[0]), "dtype")
        self.generic_visit(node)
        node.args = _spread(node.args)
        return self._product(node) or _collected(node)

    def _product(self, node: ast.Call) -> ast.expr | None:
        """`8` of `math.prod((2, 4))`."""
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="math"), attr="prod"),
                args=[ast.Tuple() | ast.List() as sizes],
            ):
                try:
                    return literal(self.known(ast.Call(node.func, [sizes], [])))
                except Unknown:
                    return None
        return None

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.UnaryOp(
                op=ast.USub(), operand=ast.UnaryOp(op=ast.USub(), operand=inner)
            ) if isinstance(inner, ast.Constant) or infinite(inner) is not None:
                return inner
        return node

    def _is_float(self, dtype: ast.Call) -> bool:
        try:
            self.attempt(dtype)
        except Unknown:
            return False
        return True

    def visit_Tuple(self, node: ast.Tuple) -> ast.expr:
        self.generic_visit(node)
        node.elts = _spread(node.elts)
        return node

    def visit_List(self, node: ast.List) -> ast.expr:
        self.generic_visit(node)
        node.elts = _spread(node.elts)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        if not is_counted(node.value) or is_stored(node):
            return node
        items = node.value.elts
        try:
            at = self._slice(node.slice)
            part = items[at]
        except (Unknown, TypeError, LookupError, ValueError):
            return node
        return type(node.value)(part) if isinstance(part, list) else part

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        known = self.decide(node.test)
        if known is None:
            self.generic_visit(node)
            return node
        chosen: ast.expr = self.visit(node.body if known else node.orelse)
        return chosen

    def visit_For(self, node: ast.For) -> Any:
        node.target, node.iter = self.visit(node.target), self.visit(node.iter)
        if isinstance(node.iter, ast.Tuple) and not node.iter.elts:
            return []
        node.body = self.block(node.body)
        return node if node.body else []

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.body = self.block(node.body)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        idle = isinstance(node.op, ast.And)
        kept = [v for v in node.values if self.decide(v) is not idle]
        if len(kept) == 1:
            return kept[0]
        node.values = kept or node.values[:1]
        return node

    def visit_If(self, node: ast.If) -> Any:
        known = self.decide(node.test)
        if known is not None:
            return self.block(node.body if known else node.orelse)
        node.test = self.visit(node.test)
        node.body, node.orelse = self.block(node.body), self.block(node.orelse)
        if node.body:
            return node
        if not node.orelse:
            return []
        return ast.If(ast.UnaryOp(ast.Not(), node.test), node.orelse, [])

    def block(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        result: list[ast.stmt] = []
        for statement in statements:
            new = self.visit(statement)
            result += new if isinstance(new, list) else [new]
            if result and isinstance(result[-1], (ast.Return, ast.Raise)):
                break
        return [s for s in result if not _is_idle(s)]


def _spread(items: Sequence[ast.expr]) -> list[ast.expr]:
    """`*(a, b)` as `a, b`."""
    result: list[ast.expr] = []
    for item in items:
        if isinstance(item, ast.Starred) and isinstance(
            item.value, (ast.Tuple, ast.List)
        ):
            result += item.value.elts
        else:
            result.append(item)
    return result


def _collected(node: ast.Call) -> ast.expr:
    """`(a, b)` of `tuple([a, b])`, `[a, b]` of `list((a, b))`."""
    match node:
        case ast.Call(
            func=ast.Name(id="tuple" | "list" as kind),
            args=[ast.Tuple(elts=elts) | ast.List(elts=elts)],
            keywords=[],
        ):
            return ast.Tuple(elts) if kind == "tuple" else ast.List(elts)
    return node


def _is_idle(statement: ast.stmt) -> bool:
    """`y = y`, which a folded branch leaves."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=a)], value=ast.Name(id=b)):
            return a == b
    return False
