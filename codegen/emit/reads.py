"""What a function reads off its arguments: sizes, the model's dtype; as locals or in place.

While a function is written these are names that are open. What is used once stands where
it is used, what is used more often, or by a function inside, is a local from the top on.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from ..names import AMBIGUOUS, Names
from ..nodes import (
    Dtype,
    Size,
    assign,
    dotted,
    name,
    names_in,
    subscript,
    tuple_of,
)
from ..plan import Plan
from ..walk import children

LISTED = 3
"""In a call, the model's dtype is read beside a list of so many at most."""
ON_A_LINE = 3
"""Sizes of different inputs that are read on one line."""


def settle(
    plan: Plan, parts: Sequence[list[ast.stmt]], hidden: Set[str]
) -> list[ast.stmt]:
    """The statements of a function with all that was open.

    Args:
        plan: the function.
        parts: what checks sizes, what casts inputs, and the rest, in this order.
        hidden: the names that no local may have.
    """
    found = _Found()
    for part in parts:
        for statement in part:
            found.add(statement, inside=False)
    rows = _rows(plan, found)
    whole = {row.source for row in rows.values()}
    sizes = {
        dim: size
        for dim, size in found.sizes.items()
        if size.source not in whole and found.is_local(size)
    }
    names = Names(hidden | AMBIGUOUS | {*plan.arguments})
    names.taken |= found.names
    local: dict[str, ast.expr] = {dim: name(names.fresh(dim)) for dim in sizes}
    lead = [*_read(plan, {d: (sizes[d], local[d]) for d in sizes})]
    dtype = _dtype(plan)
    often = found.uses["dtype"] > 1 or found.beside_many
    if often and isinstance(dtype, ast.Attribute) and plan.float_keys:
        local["dtype"] = name("dtype")
        casts: list[ast.stmt] = [assign("dtype", dtype)]
    else:
        local["dtype"] = dtype
        casts = []
    plan.takes_dtype = isinstance(dtype, ast.Name) and found.uses["dtype"] > 0
    checks, cast, body = parts
    if not found.sizes and not found.uses["dtype"]:
        return [*checks, *cast, *body]
    closed = _Closed(plan, local, rows)
    return [*lead, *(closed.visit(s) for s in (*checks, *casts, *cast, *body))]


@dataclass(frozen=True)
class _Row:
    """All sizes of an input, in a list from `start` on."""

    source: str
    start: int
    stop: int


def _rows(plan: Plan, found: _Found) -> dict[int, _Row]:
    """By list: all sizes of an input that it holds in a row, which nothing else reads.

    They are written as `(depth, *x.shape)`.
    """
    rows: dict[int, _Row] = {}
    inputs = plan.first.function.inputs
    for items in found.lists:
        for start, first in enumerate(items):
            if not isinstance(first, Size) or first.source in found.bound:
                continue
            shape = inputs[first.source].shape or ()
            if inputs[first.source].copies is not None:
                continue
            stop = start + len(shape)
            axes = {
                item.axis: item.id
                for item in items[start:stop]
                if isinstance(item, Size) and item.source == first.source
            }
            read = {s.id for s in found.sizes.values() if s.source == first.source}
            in_order = [*axes] == [*range(len(shape))] and "..." not in shape
            once = all(found.uses[dim] == 1 for dim in read) and not read & found.inner
            if len(shape) > 1 and in_order and once and read == {*axes.values()}:
                rows[id(items)] = _Row(first.source, start, stop)
    return rows


def _dtype(plan: Plan) -> ast.expr:
    """The model's floating type: of an array of the function, else as it is given."""
    if plan.float_keys:
        return ast.Attribute(subscript(dotted("params"), *plan.float_keys), "dtype")
    return dotted("jnp.float32") if plan.is_entry else name("dtype")


@dataclass
class _Found:
    """What is open in a function, and how it is used."""

    sizes: dict[str, Size] = field(default_factory=dict)
    uses: Counter[str] = field(default_factory=Counter)
    inner: set[str] = field(default_factory=set)
    """What functions inside use."""
    names: set[str] = field(default_factory=set)
    """All other names."""
    bound: set[str] = field(default_factory=set)
    """Those that get a value."""
    lists: list[list[ast.expr]] = field(default_factory=list)
    """Those that hold sizes."""
    beside_many: bool = False
    """True where a call takes the model's dtype beside a long list."""

    def add(self, node: ast.AST, *, inside: bool) -> None:
        match node:
            case Size(id=text):
                self.sizes[text] = node
                self._use(text, inside)
            case Dtype():
                self._use("dtype", inside)
            case ast.Name(id=text):
                self.names.add(text)
            case ast.arg(arg=text):
                self.names.add(text)
            case ast.Assign(targets=targets):
                self.bound.update(*map(names_in, targets))
            case ast.AnnAssign(target=target) | ast.For(target=target):
                self.bound |= names_in(target)
            case ast.FunctionDef(name=text):
                self.names.add(text)
            case ast.Tuple(elts=elts) if any(isinstance(e, Size) for e in elts):
                self.lists.append(elts)
            case ast.Call(args=args) if any(isinstance(a, Dtype) for a in args):
                lists = [a.elts for a in args if isinstance(a, ast.Tuple | ast.List)]
                self.beside_many |= any(len(elts) > LISTED for elts in lists)
        inside = inside or isinstance(node, ast.FunctionDef | ast.Lambda)
        for child in children(node):
            self.add(child, inside=inside)

    def _use(self, text: str, inside: bool) -> None:
        self.uses[text] += 1
        if inside:
            self.inner.add(text)

    def is_local(self, size: Size) -> bool:
        """True where it's used often, or can't be read where it is used.

        Two sizes of an input are read at once. Inside of a function, or once the input has
        another value, its name stands for something else.
        """
        often = self.uses[size.id] > 1 or size.id in self.inner
        beside = sum(other.source == size.source for other in self.sizes.values()) > 1
        return often or beside or size.source in self.bound


def _read(plan: Plan, sizes: Mapping[str, tuple[Size, ast.expr]]) -> Iterator[ast.stmt]:
    """`batch, seq, _ = x.shape`, or `seq, cached = x.shape[1], k.shape[2]`."""
    single: list[tuple[ast.expr, ast.expr]] = []
    for source, given in plan.first.function.inputs.items():
        own = {
            size.axis: target
            for size, target in sizes.values()
            if size.source == source
        }
        shape = _shape(plan, source)
        ranks = {size.rank for size, _ in sizes.values() if size.source == source}
        rank = len(given.shape or ()) or max((r for r in ranks if r), default=0)
        whole = "..." not in (given.shape or ()) and len(own) >= max(2, rank - 1)
        if whole:
            parts = [own.get(axis, name("_")) for axis in range(rank)]
            yield assign(ast.Tuple(parts), shape)
        else:
            single += [(own[axis], subscript(shape, axis)) for axis in own]
    for i in range(0, len(single), ON_A_LINE):
        row = single[i : i + ON_A_LINE]
        yield assign(tuple_of([t for t, _ in row]), tuple_of([v for _, v in row]))


def _shape(plan: Plan, source: str) -> ast.Attribute:
    """The shape of an input, of a list that of its first array."""
    given: ast.expr = name(source)
    if plan.first.function.inputs[source].copies is not None:
        given = subscript(given, 0)
    return ast.Attribute(given, "shape")


class _Closed(ast.NodeTransformer):
    """Puts what was settled in place of what was open."""

    def __init__(
        self, plan: Plan, local: Mapping[str, ast.expr], rows: Mapping[int, _Row]
    ) -> None:
        self.plan = plan
        self.local = local
        self.rows = rows

    def visit_Tuple(self, node: ast.Tuple) -> ast.expr:
        row = self.rows.get(id(node.elts))
        if row is not None:
            shape = _shape(self.plan, row.source)
            if row.stop - row.start == len(node.elts):
                return shape
            node.elts[row.start : row.stop] = [ast.Starred(shape)]
        self.generic_visit(node)
        return node

    def visit_Size(self, node: Size) -> ast.expr:
        found = self.local.get(node.id)
        shape = _shape(self.plan, node.source)
        return subscript(shape, node.axis) if found is None else found

    def visit_Dtype(self, node: Dtype) -> ast.expr:
        return self.local["dtype"]
