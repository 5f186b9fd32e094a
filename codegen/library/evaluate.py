"""What expressions in the source of an op are worth, as far as a file decides it."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

from ..nodes import Known, Open, Size, infinite
from .abstract import PRESENT, Axis, DType, Each, Opaque, Symbol, Unknown, lift, plain

_LONGEST = 64
"""Items that a list may get here: files may ask for any number."""
_COMPARE: dict[type[ast.cmpop], Any] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt,
    ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
_BINARY: dict[type[ast.operator], Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Div: operator.truediv,
}  # fmt: skip
_TYPES = {"int": int, "str": str, "float": float, "tuple": tuple, "bool": bool}
_CALLS: dict[str, Callable[..., Any]] = {
    "len": len, "tuple": tuple, "list": list, "min": min, "max": max, "sum": sum,
    "range": range, "math.prod": math.prod,
    "zip": lambda *lists, strict=False: list(zip(*lists, strict=strict)),
}  # fmt: skip


def is_counted(node: ast.expr) -> TypeGuard[ast.Tuple | ast.List]:
    """True of a list whose items stand there one by one."""
    if not isinstance(node, ast.Tuple | ast.List):
        return False
    return not any(isinstance(e, ast.Starred) for e in node.elts)


def floating(node: ast.Call) -> str | None:
    """The operand in `jnp.result_type(x, float)`: the dtype of x, if that is of floats."""
    match node:
        case ast.Call(
            func=ast.Attribute(attr="result_type"),
            args=[ast.Name(id=text), ast.Name(id="float")],
        ):
            return text
    return None


def as_array(node: ast.Call) -> str | None:
    """The operand in `jnp.asarray(x)`."""
    match node:
        case ast.Call(
            func=ast.Attribute(attr="asarray"), args=[ast.Name(id=text)], keywords=[]
        ):
            return text
    return None


class Evaluator:
    """Computes with what is known.

    Args:
        values: what names are worth, or the expression that a use gives.
        present: operands that are always there.
        facts: what is known of operands, by `x.ndim`, `x.dtype`, `x.shape`.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        present: Sequence[str] = (),
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.values = dict(values)
        self.present = frozenset(present)
        self.facts: dict[str, Any] = dict(facts or {})

    def decide(self, test: ast.expr) -> bool | None:
        """What a condition is, None where only the running model knows."""
        try:
            found = lift(bool, self.attempt(test))
        except Unknown:
            return None
        return None if isinstance(found, Each) else bool(found)

    def known(self, node: ast.expr) -> Any:
        """The value of an expression that can be written in its place, or Unknown."""
        found = self.attempt(node)
        if not plain(found):
            raise Unknown
        return found

    def attempt(self, node: ast.expr) -> Any:
        """What an expression is worth; Unknown too where some use would be at fault."""
        try:
            return self.evaluate(node)
        except (TypeError, LookupError, ValueError, ZeroDivisionError):
            raise Unknown from None

    def evaluate(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case Known(number=number):
                return number
            case Open():
                raise Unknown
            case ast.Name(id=text) if text in self.present:
                return PRESENT
            case ast.Name(id=text) if text in self.values:
                value = self.values[text]
                return value_of(value) if isinstance(value, ast.expr) else value
            case ast.Attribute(value=ast.Name(id=text), attr=part):
                if f"{text}.{part}" in self.facts:
                    return self.facts[f"{text}.{part}"]
                if (infinity := infinite(node)) is not None:
                    return infinity
            case ast.Attribute(value=ast.Call() as made, attr="dtype") if (
                x := as_array(made)
            ) and f"{x}.dtype" in self.facts:
                return self.facts[f"{x}.dtype"]
            case ast.Tuple(elts=elts):
                return lift(lambda *items: items, *self._items(elts))
            case ast.List(elts=elts):
                return lift(lambda *items: [*items], *self._items(elts))
            case ast.Dict(keys=keys, values=values) if None not in keys:
                both = [self.evaluate(part) for part in (*keys, *values) if part]
                return lift(
                    lambda *found: dict(zip(found, found[len(keys) :], strict=False)),
                    *both,
                )
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return lift(operator.not_, self.evaluate(operand))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return lift(_checked(operator.neg), self.evaluate(operand))
            case ast.BoolOp(op=op, values=values):
                return self._bool(isinstance(op, ast.And), values)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                chosen = self.decide(test)
                if chosen is not None:
                    return self.evaluate(body if chosen else orelse)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                a, b = self.evaluate(left), self.evaluate(right)
                return lift(_checked(_BINARY[type(op)]), a, b)
            case ast.Compare(left=left, ops=ops, comparators=rest):
                sides = [self.evaluate(side) for side in (left, *rest)]
                pairs = zip(ops, sides, sides[1:], strict=False)
                parts = [lift(_compared(op), a, b) for op, a, b in pairs]
                return lift(lambda *found: all(found), *parts)
            case ast.Subscript(value=value, slice=index):
                at = self._slice(index)
                return lift(operator.getitem, self.evaluate(value), at)
            case ast.Call(func=ast.Name(id="isinstance"), args=[value, kind]):
                found = self.evaluate(value)
                if isinstance(kind, ast.Name) and kind.id in _TYPES:
                    return lift(lambda v: isinstance(v, _TYPES[kind.id]), found)
            case ast.Call(func=ast.Name(id="len"), args=[value]) if is_counted(value):
                return len(value.elts)
            case ast.Call() if (x := floating(node)) and f"{x}.dtype" in self.facts:
                return lift(_inexact, self.facts[f"{x}.dtype"])
            case ast.Call(func=ast.Attribute(value=value, attr="index"), args=[item]):
                items, one = self.evaluate(value), self.evaluate(item)
                return lift(lambda items, one: items.index(one), items, one)
            case ast.Call(func=func, args=args, keywords=keywords):
                called = _CALLS.get(ast.unparse(func))
                if called is not None and all(k.arg == "strict" for k in keywords):
                    return lift(_checked(called), *self._items(args))
            case ast.ListComp(elt=elt, generators=[loop]) if not loop.ifs:
                return self._comprehension(elt, loop)
            case ast.JoinedStr(values=parts):
                return lift(lambda *found: "".join(found), *map(self._text, parts))
        raise Unknown

    def _items(self, nodes: Sequence[ast.expr]) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                part = self.evaluate(node.value)
                if isinstance(part, Each):
                    raise Unknown
                found += part
            else:
                found.append(self.evaluate(node))
        return found

    def _bool(self, all_of: bool, values: Sequence[ast.expr]) -> bool:
        unknown = False
        for value in values:
            known = self.decide(value)
            if known is None:
                unknown = True
            elif known != all_of:
                return not all_of
        if unknown:
            raise Unknown
        return all_of

    def _slice(self, node: ast.expr) -> Any:
        if not isinstance(node, ast.Slice):
            return self.evaluate(node)
        parts = (node.lower, node.upper, node.step)
        return lift(slice, *(None if p is None else self.evaluate(p) for p in parts))

    def _text(self, node: ast.expr) -> Any:
        if isinstance(node, ast.FormattedValue):
            if node.format_spec is not None or node.conversion != -1:
                raise Unknown
            return lift(str, self.evaluate(node.value))
        return self.evaluate(node)

    def _comprehension(self, elt: ast.expr, loop: ast.comprehension) -> Any:
        items = self.evaluate(loop.iter)
        targets = loop.target.elts if isinstance(loop.target, ast.Tuple) else None
        if isinstance(items, Each):
            raise Unknown
        found = []
        for item in items:
            both = [(loop.target, item)]
            if targets is not None:
                both = list(zip(targets, item, strict=True))
            inner = {t.id: Each([v]) for t, v in both if isinstance(t, ast.Name)}
            (one,) = _single(Evaluator(inner).evaluate(elt))
            found.append(one)
        return found


def value_of(node: ast.expr) -> Any:
    """The value of an attribute: what of it isn't known is at least an integer."""
    if isinstance(node, ast.Tuple):
        return tuple(value_of(e) for e in node.elts)
    try:
        return Evaluator({}).evaluate(node)
    except Unknown:
        if isinstance(node, ast.Attribute) and node.attr not in ("ndim", "size"):
            raise
        return Axis() if isinstance(node, Size) else Opaque()


def _single(value: Any) -> Each:
    return value if isinstance(value, Each) else Each([value])


def _compared(op: ast.cmpop) -> Callable[[Any, Any], Any]:
    def compare(a: Any, b: Any) -> Any:
        if (a is PRESENT or b is PRESENT) and None not in (a, b):
            raise Unknown
        return _COMPARE[type(op)](a, b)

    return compare


def _inexact(dtype: DType) -> DType:
    """The dtype, where it is one of floats or complex numbers."""
    if not dtype.name.startswith(("float", "bfloat", "complex")):
        raise Unknown
    return dtype


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of numbers that are known, and of lists that stay short."""

    def call(*args: Any) -> Any:
        lists = function in (len, tuple, list, _CALLS["zip"], operator.add)
        for arg in args:
            parts = arg if isinstance(arg, (tuple, list)) and not lists else [arg]
            if any(isinstance(part, (Opaque, Symbol)) for part in parts):
                raise Unknown
        if function is range and len(range(*args)) > _LONGEST:
            raise Unknown
        if function is operator.mul and not all(isinstance(a, int) for a in args):
            size = max((abs(a) for a in args if isinstance(a, int)), default=0)
            if size > _LONGEST:
                raise Unknown
        return function(*args)

    return call
