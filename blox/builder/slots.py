"""Fields of a node that differ by numbers, as one field of the function's node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from blox.schema.names import MAX_NAME, RESERVED, name_of

from .fields import mapped
from .groups import Group, rooted, stays
from .indexing import At
from .literals import is_numeric
from .sizes import Dim, tree_of_number
from .trace import Trace
from .trees import (
    Symbol,
    Tree,
    is_number,
    replaced,
    speaks_of_dims,
    symbols,
    text_of,
    value_of,
)
from .values import Value


class Slots:
    """Writes fields that are alike but for numbers, one value for each trace.

    A number that differs becomes an attribute of the group, a dim an axis of an input.
    """

    def __init__(self, group: Group) -> None:
        self.traces, self.attributes = group.traces, group.attributes
        self.is_entry = group.first.parent is None
        self.shapes: dict[str, dict[int, str]] = {}
        """The names of dims that the nodes speak of, by input and axis."""
        self.taken = {*group.first.session.attribute_symbols, *group.first.inputs}
        self.taken |= {name for trace in self.traces for name in trace.dims}

    def field(self, values: Sequence[Any], name: str) -> Any:
        """A field that is alike but for numbers."""
        first = values[0]
        if isinstance(first, Value):
            return first.reference
        if isinstance(first, At):
            numbers = [list(_in_index(value)) for value in values]
            texts = iter([self._slot(n, "at") for n in zip(*numbers, strict=True)])
            return mapped(first, lambda _: next(texts))
        if isinstance(first, Dim) or is_numeric(first):
            return self._slot(values, name)
        if isinstance(first, (list, tuple)):
            return [self.field(parts, name) for parts in zip(*values, strict=True)]
        if isinstance(first, dict):
            return {k: self.field([v[k] for v in values], k) for k in first}
        return first

    def _slot(self, numbers: Sequence[Any], name: str) -> Any:
        if isinstance(numbers[0], Dim):
            return f"${text_of(self._of_dims([n.tree for n in numbers], name))}"
        return self.number([tree_of_number(n) for n in numbers], name)

    def _of_dims(self, trees: Sequence[Tree], name: str) -> Tree:
        """An expression of dims that is alike but for numbers."""
        first = trees[0]
        if not speaks_of_dims(first):
            return self._tree(trees, name)
        if isinstance(first, Symbol):
            return Symbol(self._dim(first), first.value)
        parts = zip(*(tree[1:] for tree in trees), strict=True)
        return (first[0], *(self._of_dims(part, name) for part in parts))

    def number(self, trees: Sequence[Tree], name: str) -> Any:
        """A number that is one of these in the traces, in turn, as a file has it."""
        return _text(self._tree(trees, name))

    def _tree(self, trees: Sequence[Tree], name: str) -> Tree:
        roots = [rooted(t, trace) for t, trace in zip(trees, self.traces, strict=True)]
        if _is_constant(roots):
            return roots[0]
        if len({text_of(t) for t in trees}) == 1:
            return self._of_arguments(trees[0])
        bound = [
            replaced(t, trace.bindings)
            for t, trace in zip(trees, self.traces, strict=True)
        ]
        return Symbol(self._attribute(name, bound), value_of(trees[0]))

    def _of_arguments(self, tree: Tree) -> Tree:
        """An expression of arguments, with an attribute for each that differs."""
        by: dict[Symbol, Tree] = {}
        for symbol in symbols(tree):
            if symbol.trace is None:
                continue
            bound = [self._bound(trace, symbol.name) for trace in self.traces]
            roots = [
                rooted(b, trace.parent)
                for b, trace in zip(bound, self.traces, strict=True)
            ]
            if _is_constant(roots) and not stays(symbol):
                by[symbol] = roots[0]
            else:
                by[symbol] = Symbol(self._attribute(symbol.name, bound), symbol.value)
        return replaced(tree, by)

    def _bound(self, trace: Trace, name: str) -> Tree:
        return next(
            b for s, b in trace.bindings.items() if s.name == name and not s.is_dim
        )

    def _attribute(self, wanted: str, trees: list[Tree]) -> str:
        """An attribute of the function that is this in the caller's words."""
        texts = [text_of(t) for t in trees]
        own = self.attributes
        for name, others in own.items():
            if [text_of(t) for t in others] == texts:
                return name
        name, count = name_of(wanted), 1
        while name in own or name in self.taken or name in RESERVED:
            count += 1
            name = name_of(f"{wanted[: MAX_NAME - 8]}_{count}")
        own[name] = trees
        return name

    def _dim(self, symbol: Symbol) -> str:
        """The name of a dim, declared as one of the shape of an input."""
        if symbol.at is None or self.is_entry:
            return symbol.name
        name, axis = symbol.at
        shape = self.shapes.setdefault(name, {})
        if axis not in shape:
            every = [dim for trace in self.traces for dim in trace.dims.values()]
            names = {dim.name for dim in every if dim.at == symbol.at}
            own = f"{name}_{axis}" if len(names) > 1 else symbol.name
            while own in self.taken - names:
                own += "_size"
            shape[axis] = own
        return shape[axis]


def _is_constant(roots: Sequence[Tree]) -> bool:
    """True for one number, or expression of attributes of the Graph, in all traces."""
    alike = len({text_of(r) for r in roots}) == 1
    return alike and not any(map(stays, symbols(roots[0])))


def _in_index(at: At) -> Iterator[Any]:
    found: list[Any] = []

    def keep(number: Any) -> str:
        found.append(number)
        return "0"

    mapped(at, keep)
    yield from found


def literal(number: Any) -> Any:
    return tree_of_number(number) if is_number(tree_of_number(number)) else number + 0


def _text(tree: Tree) -> Any:
    return tree if is_number(tree) else f"${text_of(tree)}"
