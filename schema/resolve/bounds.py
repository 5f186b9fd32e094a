"""What sizes of an entry's dims may be: bounds as numbers, and constraints between dims."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..content import Bounds, Content, split_constraint
from ..diagnostics import Diagnostic
from ..expressions import ExpressionError, Kind, evaluate, names
from ..fields import is_expression

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}
Evaluate = Callable[[str, Mapping[str, Any], Kind], Any]
_WANTED: dict[str, tuple[str, Callable[[Any, int], Any]]] = {
    "min": ("at least", operator.ge),
    "max": ("at most", operator.le),
    "multiple_of": ("a multiple of", lambda size, bound: size % bound == 0),
}
"""What a size should be, and the test of it."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A constraint of the Graph: `left sign right`."""

    text: str
    left: str
    sign: str
    right: str
    names: tuple[str, ...]

    @staticmethod
    @lru_cache(4096)
    def parse(text: str) -> Relation:
        left, sign, right = split_constraint(text)
        used = dict.fromkeys((*names(left), *names(right)))
        return Relation(text, left, sign, right, tuple(used))

    def sides(
        self, known: Mapping[str, Any], value_of: Evaluate = evaluate
    ) -> tuple[Any, Any]:
        """What is compared.

        Raises:
            ExpressionError: a side has no value.
        """
        return value_of(self.left, known, "float"), value_of(self.right, known, "float")

    def holds(self, known: Mapping[str, Any]) -> bool:
        """Whether sizes satisfy it; a side without a value satisfies nothing."""
        try:
            return COMPARISONS[self.sign](*self.sides(known))
        except ExpressionError:
            return False


def relations_of(graph: Content) -> list[Relation]:
    """The constraints of a Graph."""
    return [Relation.parse(text) for text in graph.constraints]


def speaking_of(relations: Iterable[Relation], known: Iterable[str]) -> list[Relation]:
    """Those of an entry with these dims and attributes: others speak of other entries."""
    known = set(known)
    return [r for r in relations if known.issuperset(r.names)]


def numbers_of(bounds: Bounds, attributes: Mapping[str, Any]) -> dict[str, int]:
    """The bounds that a dim has, by field, as numbers."""
    return {
        field: evaluate(value, attributes) if is_expression(value) else value
        for field, value in bounds
        if value is not None
    }


class Limits:
    """The bounds of an entry's dims, and the constraints that speak of them.

    Args:
        graph: a sound one.
        dims: those of the entry.
        value_of: evaluates an expression.
    """

    def __init__(
        self, graph: Content, dims: Iterable[str], value_of: Evaluate = evaluate
    ) -> None:
        dims, self._value_of = set(dims), value_of
        self._bounds = [
            (name, *_WANTED[field], bound)
            for name, bounds in graph.dims.items()
            if name in dims
            for field, bound in numbers_of(bounds, graph.attributes).items()
        ]
        known = dims.union(graph.attributes)
        self._relations = speaking_of(relations_of(graph), known)

    def broken(
        self, sizes: Mapping[str, Any], known: Mapping[str, Any]
    ) -> Iterator[Diagnostic]:
        """Dims out of bounds, with their names as paths; constraints that don't hold.

        Args:
            sizes: those of the dims that are known.
            known: the same, with the values of attributes.
        """
        for name, wanted, fits, bound in self._bounds:
            if name in sizes and not fits(sizes[name], bound):
                text = f"expected {wanted} {bound}, found {sizes[name]}"
                yield Diagnostic("dims", name, text)
        for relation in self._relations:
            try:
                a, b = relation.sides(known, self._value_of)
            except ExpressionError as error:
                yield Diagnostic("dims", "", f"expected {relation.text}: {error}")
                continue
            if not COMPARISONS[relation.sign](a, b):
                found = ", ".join(
                    f"{n} {sizes[n]}" for n in relation.names if n in sizes
                )
                text = f"expected {relation.text}, found {found or f'{a}, {b}'}"
                yield Diagnostic("dims", "", text)
