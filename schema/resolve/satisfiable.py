"""Proofs that no sizes satisfy the bounds and constraints of an entry, by intervals.

What is found is impossible; what is not found may be. Nothing here tries sizes.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..content import Bounds, Content
from ..diagnostics import Report, quote
from ..expressions import EXTREMES, INT64, parse
from .bounds import Relation, numbers_of, relations_of, speaking_of

Interval = tuple[Any, Any]
ANY: Interval = (-INT64, INT64 - 1)
"""All values that an expression may have."""
_ROUNDS = 8
_WORK = 100_000
"""How often constraints are looked at, all of a Graph together."""
_CORNERS: dict[type[ast.operator], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
}
_MIRRORED = {"<": ">", "<=": ">=", "==": "==", ">=": "<=", ">": "<"}


def check_satisfiable(
    graph: Content, dims: Mapping[str, Iterable[str]], report: Report
) -> None:
    """Reports a constraint for each entry of which no sizes satisfy all.

    Args:
        graph: with sound bounds, and constraints that attributes alone don't break.
        dims: those of each function.
        report: where findings go.
    """
    relations = relations_of(graph)
    cases: dict[tuple[Relation, ...], str] = {}
    for entry in graph.entries if relations else ():
        held = speaking_of(relations, (*graph.attributes, *dims[entry]))
        cases.setdefault(tuple(held), entry)
    work = _WORK
    for case, entry in cases.items():
        search = _Search(graph, case, work)
        found = search.contradiction()
        work = search.work
        if found is not None:
            path = f"constraints.{graph.constraints.index(found.text)}"
            report.error("constraint", path, search.message(found, entry))


class _Search:
    """What sizes may be, narrowed by one constraint after the other."""

    def __init__(
        self, graph: Content, relations: Sequence[Relation], work: int
    ) -> None:
        self.relations, self.work = relations, work
        self.known: dict[str, Interval] = {}
        self.dims: dict[str, int] = {}
        """What each dim is a multiple of."""
        for name in {name for r in relations for name in r.names}:
            if name in graph.attributes:
                value = graph.attributes[name]
                self.known[name] = value, value
                continue
            bounds = numbers_of(graph.dims.get(name, Bounds()), graph.attributes)
            self.known[name] = bounds.get("min", 0), bounds.get("max", ANY[1])
            self.dims[name] = bounds.get("multiple_of", 1)
        self.start = dict(self.known)
        self.factors = dict.fromkeys(self.dims, 1)

    def contradiction(self) -> Relation | None:
        """A constraint that no sizes satisfy which satisfy the others."""
        # Of n dims that differ by so much at least, all are known after n rounds, or
        # each has to be larger than itself.
        apart = [r for r in self.relations if _is_difference(r)]
        rounds = len(self.dims) + 1
        if rounds * len(apart) <= self.work:
            found, settled = self._narrow(apart, rounds)
            if found is not None or not settled:
                return found or apart[-1]
        self.factors = self.dims
        return self._narrow(self.relations, _ROUNDS)[0]

    def _narrow(
        self, relations: Sequence[Relation], rounds: int
    ) -> tuple[Relation | None, bool]:
        """(a constraint that nothing satisfies, whether the last round changed nothing)"""
        for _ in range(rounds):
            before = dict(self.known)
            for relation in relations:
                self.work -= 1
                if self.work < 0:
                    return None, True
                if not self._apply(relation):
                    return relation, True
            if self.known == before:
                return None, True
        return None, False

    def _apply(self, relation: Relation) -> bool:
        """Narrows the dims of a constraint; False if nothing is left."""
        left, right = parse(relation.left), parse(relation.right)
        a, b = interval(left, self.known), interval(right, self.known)
        sign = relation.sign
        return (
            _possible(a, sign, b)
            and self._limit(left, sign, b)
            and self._limit(right, _MIRRORED[sign], a)
        )

    def _limit(self, side: ast.expr, sign: str, other: Interval) -> bool:
        """Narrows a side that is a dim, plus or minus a number."""
        name, more = _shifted(side) or ("", 0)
        if name not in self.dims:
            return True
        (low, high), factor = self.known[name], self.factors[name]
        other = other[0] - more, other[1] - more
        if sign in (">", ">=", "=="):
            least = math.floor(other[0]) + 1 if sign == ">" else math.ceil(other[0])
            low = max(low, -(-least // factor) * factor)
        if sign in ("<", "<=", "=="):
            most = math.ceil(other[1]) - 1 if sign == "<" else math.floor(other[1])
            high = min(high, most // factor * factor)
        self.known[name] = low, high
        return bool(low <= high)

    def message(self, found: Relation, entry: str) -> str:
        """What an error says of a constraint."""
        sizes = [n for n in found.names if n in self.dims]
        given = ", ".join(f"{n} {_shown(self.start[n])}" for n in sizes[:4])
        return (
            f"expected {quote(found.text)} to hold for some sizes of {entry}, found none "
            f"that bounds and the other constraints allow ({given})"
        )


def interval(tree: ast.expr, known: Mapping[str, Interval]) -> Interval:
    """The least and the greatest value of an expression whose names are in intervals."""
    match tree:
        case ast.Name(id=name):
            return known[name]
        case ast.Constant(value=value):
            return value, value
        case ast.UnaryOp(operand=operand):
            low, high = interval(operand, known)
            return -high, -low
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _CORNERS:
            a, b = interval(left, known), interval(right, known)
            if isinstance(op, ast.FloorDiv | ast.Div) and b[0] <= 0 <= b[1]:
                return ANY
            # Each operation is monotonic in each operand.
            corners = [_CORNERS[type(op)](x, y) for x in a for y in b]
            return max(min(corners), ANY[0]), min(max(corners), ANY[1])
        case ast.BinOp(op=ast.Mod(), right=right):
            low, high = interval(right, known)
            return (0, high) if low > 0 else ANY
        case ast.Call(func=ast.Name(id=name), args=args):
            lows, highs = zip(*(interval(arg, known) for arg in args), strict=True)
            return EXTREMES[name](*lows), EXTREMES[name](*highs)
    return ANY


def _possible(a: Interval, sign: str, b: Interval) -> bool:
    """True where some value of `a` and some of `b` compare so."""
    if sign in ("<", "<="):
        return bool(a[0] < b[1] or (sign == "<=" and a[0] == b[1]))
    if sign in (">", ">="):
        return _possible(b, _MIRRORED[sign], a)
    return bool(a[0] <= b[1] and b[0] <= a[1])


def _is_difference(relation: Relation) -> bool:
    """True of `a < b`, `a == b + 1`: two dims or numbers, and how far apart."""
    sides = (parse(relation.left), parse(relation.right))
    return all(isinstance(s, ast.Constant) or _shifted(s) is not None for s in sides)


def _shifted(side: ast.expr) -> tuple[str, int] | None:
    """(name, number) of `name + number` and the like, None for others."""
    match side:
        case ast.Name(id=name):
            return name, 0
        case ast.BinOp(ast.Name(id=name), ast.Add(), ast.Constant(value=int(n))):
            return name, n
        case ast.BinOp(ast.Name(id=name), ast.Sub(), ast.Constant(value=int(n))):
            return name, -n
        case ast.BinOp(ast.Constant(value=int(n)), ast.Add(), ast.Name(id=name)):
            return name, n
    return None


def _shown(bounds: Interval) -> str:
    low, high = bounds
    return f"at least {low}" if high == ANY[1] else f"from {low} to {high}"
