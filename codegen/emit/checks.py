"""Checks at the head of an entry: bounds of dims and constraints, as chains of signs."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ...schema.content import Bounds, split_constraint
from ...schema.expressions import names, parse
from ...schema.fields import is_expression
from ..nodes import Known, Size, call, literal, name
from ..plan import Module, Plan
from ..printer import render
from ..walk import walk
from .sizes import Numbers

_SIGNS: dict[str, type[ast.cmpop]] = {"<=": ast.LtE, "<": ast.Lt, "==": ast.Eq}
_SWAPPED = {">=": "<=", ">": "<"}
_FAILS: dict[str, type[ast.cmpop]] = {"<=": ast.Gt, "<": ast.GtE, "==": ast.NotEq}


@dataclass(frozen=True)
class Relation:
    """`left sign right`, which has to hold."""

    left: ast.expr
    sign: str
    right: ast.expr

    @cached_property
    def begin(self) -> str:
        """The left side as it is written: sides are the same where these are."""
        return render(self.left)

    @cached_property
    def end(self) -> str:
        """The right side as it is written."""
        return render(self.right)


def checks(module: Module, plan: Plan, numbers: Numbers) -> list[ast.stmt]:
    """Bounds of dims and constraints of an entry, as statements.

    What another entry checks, which this one calls with the same inputs, it leaves out,
    and what follows from the rest.
    """
    if not plan.is_entry:
        return []
    relations = _without_implied([*_relations(module, plan, numbers)])
    chains = [_checked(chain) for chain in _chains(relations)]
    return [*chains, *_multiples(module, plan, numbers)]


def _relations(module: Module, plan: Plan, numbers: Numbers) -> Iterator[Relation]:
    graph = module.program.graph
    for dim, bounds in _bounds(module, plan):
        size = numbers.expression(ast.Name(dim))
        if bounds.min is not None:
            yield Relation(_number(bounds.min, numbers), "<=", size)
        if bounds.max is not None:
            yield Relation(size, "<=", _number(bounds.max, numbers))
    known = {*graph.attributes, *plan.first.dims}
    passed = _passed_on(module, plan)
    for text in graph.constraints:
        left, sign, right = split_constraint(text)
        used = {*names(left), *names(right)}
        if used <= known and not used - {*graph.attributes} <= passed:
            a, b = (numbers.expression(parse(side)) for side in (left, right))
            if sign in _SWAPPED:
                a, b, sign = b, a, _SWAPPED[sign]
            yield Relation(a, sign, b)


def _bounds(module: Module, plan: Plan) -> Iterator[tuple[str, Bounds]]:
    passed = _passed_on(module, plan)
    for dim, bounds in module.program.graph.dims.items():
        if dim in plan.first.dims and dim not in passed:
            yield dim, bounds


def _multiples(module: Module, plan: Plan, numbers: Numbers) -> Iterator[ast.stmt]:
    for dim, bounds in _bounds(module, plan):
        if bounds.multiple_of is not None:
            size = numbers.expression(ast.Name(dim))
            factor = _number(bounds.multiple_of, numbers)
            message: list[str | ast.expr] = [
                "expected a multiple of ",
                factor,
                ", found ",
                size,
            ]
            yield _refuse(ast.BinOp(size, ast.Mod(), factor), message)


def _number(value: int | str, numbers: Numbers) -> ast.expr:
    return numbers.value(value, "int") if is_expression(value) else literal(value)


def _passed_on(module: Module, plan: Plan) -> set[str]:
    """The dims that another entry checks, which gets the same input by the same name."""
    found: set[str] = set()
    for step in plan.steps:
        surely = len(step.callees) == 1 and step.callees[0].declared.runs == 1
        for callee in step.instances if surely else ():
            if not module.plans[callee.name].is_entry:
                continue
            for dim, (source, axis) in plan.first.dims.items():
                given = step.group("inputs").get(source)
                same = given is not None and given.source == source
                if same and callee.dims.get(dim) == (source, axis):
                    found.add(dim)
    return found


def _without_implied(relations: list[Relation]) -> list[Relation]:
    """Less `a <= c` where there are `a <= b` and `b <= c`."""
    kept = list(relations)
    for relation in relations:
        others = [r for r in kept if r is not relation]
        if relation.sign == "<=" and _leads(relation, others):
            kept = others
    return kept


def _leads(wanted: Relation, relations: list[Relation]) -> bool:
    """True where a way of `<=` and `<` goes from one side of a relation to the other."""
    ways: dict[str, list[str]] = {}
    for relation in relations:
        if relation.sign != "==":
            ways.setdefault(relation.begin, []).append(relation.end)
    reached, todo = {wanted.begin}, [wanted.begin]
    while todo:
        for end in ways.get(todo.pop(), ()):
            if end not in reached:
                reached.add(end)
                todo.append(end)
    return wanted.end in reached - {wanted.begin}


def _chains(relations: list[Relation]) -> Iterator[list[Relation]]:
    """Relations of which each begins where the one before it ends."""
    left = list(relations)
    while left:
        first = next((r for r in left if not _follows_any(r, left)), left[0])
        chain = [first]
        left.remove(first)
        while following := [r for r in left if _follows(r, chain[-1])]:
            chain.append(following[0])
            left.remove(following[0])
        yield chain


def _follows_any(relation: Relation, others: Iterable[Relation]) -> bool:
    return any(_follows(relation, other) for other in others)


def _follows(relation: Relation, before: Relation) -> bool:
    ordered = relation.sign != "==" and before.sign != "=="
    return ordered and relation.begin == before.end


def _checked(chain: list[Relation]) -> ast.stmt:
    """A chain as a statement that raises unless it holds."""
    first = chain[0]
    message: list[str | ast.expr] = ["expected ", first.left]
    for relation in chain:
        message += [f" {relation.sign} ", relation.right]
    if len(chain) == 1:
        sign = _FAILS[first.sign]()
        return _refuse(ast.Compare(first.left, [sign], [first.right]), message)
    signs = [_SIGNS[relation.sign]() for relation in chain]
    holds = ast.Compare(first.left, signs, [relation.right for relation in chain])
    return _refuse(ast.UnaryOp(ast.Not(), holds), message)


def _refuse(test: ast.expr, message: Sequence[str | ast.expr]) -> ast.stmt:
    """`if test: raise ValueError(...)`, with the sizes that it speaks of."""
    parts: list[ast.expr] = []
    shown: set[str] = set()
    inside: dict[str, Size] = {}
    for part in message:
        match part:
            case Size(id=dim):
                parts += [ast.Constant(f"{dim}="), ast.FormattedValue(part, ord("r"))]
                shown.add(dim)
            case Known(id=text):
                parts.append(ast.FormattedValue(name(text), -1))
            case ast.expr():
                parts.append(ast.Constant(render(part)))
                inside |= {n.id: n for n in walk(part) if isinstance(n, Size)}
            case _:
                parts.append(ast.Constant(part))
    lead = ", where "
    for dim, size in inside.items():
        if dim not in shown:
            parts += [ast.Constant(f"{lead}{dim}="), ast.FormattedValue(size, ord("r"))]
            lead = ", "
    error = ast.Raise(call("ValueError", [ast.JoinedStr(parts)]), None)
    return ast.If(test, [error], [])
