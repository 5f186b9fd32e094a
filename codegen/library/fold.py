"""Folding: what attributes decide in the source of an op is decided when it is written."""

from __future__ import annotations

import ast
import copy
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from ..nodes import Known, Open

PRESENT = ast.Name("present")
"""Stands for an operand that is always there: `x is None` is False of it."""

_COMPARE: dict[type[ast.cmpop], Any] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt,
    ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv, ast.Div: operator.truediv,
}  # fmt: skip
_TYPES = {"int": int, "str": str, "float": float, "tuple": tuple, "bool": bool}


class _Unknown(Exception):
    """The value is known only when the model runs."""


class _Opaque(int):
    """A size that is an integer, whatever its value."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int):
            raise _Unknown
        return False

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __bool__(self) -> bool:
        raise _Unknown


class Folder(ast.NodeTransformer):
    """Puts values in place of parameters and drops the branches they decide."""

    def __init__(
        self,
        values: Mapping[str, ast.expr],
        present: Sequence[str] = (),
        *,
        put: Mapping[str, ast.expr] | None = None,
    ) -> None:
        """`values` decide branches; `put`, all of them by default, replace names."""
        self.values = values
        self.put = values if put is None else put
        self.present = frozenset(present)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        value = self.put.get(node.id)
        return copy.deepcopy(value) if value is not None else node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        node.args = _spread(node.args)
        return node

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
        if isinstance(node.value, ast.Tuple) and isinstance(node.slice, ast.Slice):
            try:
                return ast.Tuple(node.value.elts[self._slice(node.slice)])
            except _Unknown:
                return node
        one = isinstance(node.value, ast.List) and len(node.value.elts) == 1
        if (one or isinstance(node.value, ast.Tuple)) and not isinstance(
            node.slice, ast.Slice
        ):
            assert isinstance(node.value, ast.List | ast.Tuple)
            try:
                part: ast.expr = node.value.elts[self.evaluate(node.slice)]
            except (_Unknown, TypeError, IndexError):
                return node
            return part
        return node

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

    def decide(self, test: ast.expr) -> bool | None:
        """What a condition is, None where only the running model knows."""
        try:
            return bool(self.evaluate(test))
        except (_Unknown, TypeError, IndexError):
            return None

    def evaluate(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case Known(number=number):
                return number
            case Open():
                raise _Unknown
            case ast.Name(id=text) if text in self.present:
                return PRESENT
            case ast.Name(id=text) if text in self.values:
                return self._value(self.values[text])
            case ast.Tuple(elts=elts) | ast.List(elts=elts):
                if any(isinstance(e, ast.Starred) for e in elts):
                    raise _Unknown
                return tuple(self.evaluate(e) for e in elts)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not self.evaluate(operand)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.evaluate(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                a, b = self.evaluate(left), self.evaluate(right)
                if isinstance(a, _Opaque) or isinstance(b, _Opaque):
                    raise _Unknown
                return _ARITHMETIC[type(op)](a, b)
            case ast.BoolOp(op=op, values=values):
                return self._bool(isinstance(op, ast.And), values)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                a, b = self.evaluate(left), self.evaluate(right)
                if (a is PRESENT or b is PRESENT) and None not in (a, b):
                    raise _Unknown
                return _COMPARE[type(op)](a, b)
            case ast.Subscript(value=value, slice=ast.Slice() as part):
                return self.evaluate(value)[self._slice(part)]
            case ast.Subscript(value=value, slice=index):
                return self.evaluate(value)[self.evaluate(index)]
            case ast.Call(func=ast.Name(id="isinstance"), args=[value, kind]):
                found = self.evaluate(value)
                if isinstance(kind, ast.Name) and kind.id in _TYPES:
                    return isinstance(found, _TYPES[kind.id])
            case ast.Call(func=ast.Name(id="len"), args=[value]):
                return len(self.evaluate(value))
        raise _Unknown

    def _value(self, node: ast.expr) -> Any:
        """The value of an attribute: what of it isn't known is at least an integer."""
        if isinstance(node, ast.Tuple):
            return tuple(self._value(e) for e in node.elts)
        try:
            return Folder({}).evaluate(node)
        except _Unknown:
            if isinstance(node, ast.Attribute) and not _is_size(node):
                raise
            return _Opaque()

    def _bool(self, all_of: bool, values: Sequence[ast.expr]) -> bool:
        unknown = False
        for value in values:
            try:
                if bool(self.evaluate(value)) != all_of:
                    return not all_of
            except _Unknown:
                unknown = True
        if unknown:
            raise _Unknown
        return all_of

    def _slice(self, node: ast.Slice) -> slice:
        parts = (node.lower, node.upper, node.step)
        return slice(*(None if p is None else self.evaluate(p) for p in parts))


def _is_size(node: ast.Attribute) -> bool:
    return node.attr in ("ndim", "size")


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


def _is_idle(statement: ast.stmt) -> bool:
    """`y = y`, which a folded branch leaves."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=a)], value=ast.Name(id=b)):
            return a == b
    return False
