"""Bounds of an included entry: proven of what a call gives, or moved to the caller's dims."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from blox.schema import Graph
from blox.schema.expressions import evaluate
from blox.schema.resolve.bounds import COMPARISONS, relations_of, speaking_of

from .declarations import fail
from .groups import rooted
from .sizes import Dim, tree_of_number
from .trace import Trace
from .trees import Symbol, Tree, is_number, made, symbols, text_of, tree_of, value_of

_SIGNS = {"min": ">=", "max": "<="}
_WORDS = {"min": "at least", "max": "at most", "multiple_of": "a multiple of"}


@dataclass(frozen=True, slots=True)
class Need:
    """A comparison that must hold for all sizes of a caller's dims.

    Args:
        by: the function that asks for it: `minilm.main`.
        dim: the caller's dim where it is a bound of that, else "".
        field: of the bound.
        bound: what it is, as a file has it.
        text: the comparison.
    """

    by: str
    dim: str
    field: str
    bound: int | str
    text: str


class Unsettled(Exception):
    """A call needs bounds that are not stated yet: they are, and all runs again."""


@dataclass
class Needs:
    """What entries of included Graphs ask of the dims of a Graph that is being written.

    A size that a call gives as a number is checked there; a comparison that JAX proves
    needs nothing; one of a dim becomes a bound of that dim, and any other a constraint.

    Args:
        bounds: those of the Graph; they get what is missing.
        constraints: its comparisons, likewise.
    """

    bounds: dict[str, dict[str, int | str]]
    constraints: list[str]
    open: dict[Need, None] = field(default_factory=dict)
    stated: dict[Need, None] = field(default_factory=dict)

    def check(
        self,
        graph: Graph,
        by: str,
        trace: Trace,
        sizes: Mapping[str, Any],
        numbers: Mapping[str, Any],
    ) -> None:
        """Checks a call of an entry.

        Args:
            graph: the included Graph.
            by: the entry, as errors name it.
            trace: the run of it.
            sizes: of its dims, in the words of that run.
            numbers: the attributes of its Graph, in the words of the caller's.

        Raises:
            SpecError: sizes that the entry does not take. Unsettled: sizes of dims that
                it may not take.
        """
        dims = _Dims(trace, sizes)
        for dim, bounds in graph.dims.items():
            if dim not in sizes:
                continue
            for name, bound in bounds:
                if bound is not None:
                    tree = _tree(bound, numbers, {})
                    self._bound(by, dims, dim, name, tree)
        known = {*sizes, *graph.attributes}
        for relation in speaking_of(relations_of(graph), known):
            if not any(name in sizes for name in relation.names):
                continue
            sides = (relation.left, relation.right)
            left, right = (_tree(f"${s}", numbers, dims.trees(relation)) for s in sides)
            self._compare(by, dims, left, relation.sign, right, relation.text)
        if self.open:
            raise Unsettled

    def _bound(self, by: str, dims: _Dims, dim: str, name: str, bound: Tree) -> None:
        size = dims.tree(dim)
        if name == "multiple_of":
            left, sign, right = made("%", size, bound), "==", 0
        else:
            left, sign, right = size, _SIGNS[name], bound
        said = f"{dim} {_WORDS[name]} {text_of(bound)}"
        own = size.name if isinstance(size, Symbol) and size.is_dim else ""
        self._compare(by, dims, left, sign, right, said, (own, name, bound))

    def _compare(
        self,
        by: str,
        dims: _Dims,
        left: Tree,
        sign: str,
        right: Tree,
        said: str,
        bound: tuple[str, str, Tree] = ("", "", 0),
    ) -> None:
        if "=" in sign and text_of(left) == text_of(right):
            return
        try:
            a, b = value_of(left), value_of(right)
        except Exception:  # of JAX, over a fraction or a root of a dim
            a = b = None
        if is_number(a) and is_number(b):
            if not COMPARISONS[sign](a, b):
                size = text_of(left)
                found = size if bound[1] else f"{size} and {text_of(right)}"
                dims.fault(by, said, found)
            if not any(symbols(left)):
                return  # a number stays one when the Graph is resized
        elif a is not None and _proven(COMPARISONS[sign], a, b):
            return
        dim, name, value = bound
        text = f"{text_of(left)} {sign} {text_of(right)}"
        written = value if is_number(value) else f"${text_of(value)}"
        need = Need(by, dim, name, written, text)
        if need not in self.stated:
            self.open[need] = None

    def settle(self, attributes: Mapping[str, Any]) -> None:
        """States what is open, as bounds and constraints.

        Args:
            attributes: those of the Graph that is being written.

        Raises:
            SpecError: the caller's own bounds allow what an entry does not take.
        """
        found, self.open = list(self.open), {}
        for need in found:
            self.stated[need] = None
            own = self.bounds.get(need.dim, {})
            if not need.dim:
                self._constrain(need.text)
            elif need.field not in own:
                self.bounds[need.dim] = {**own, need.field: need.bound}
            elif own[need.field] == need.bound:
                continue  # another entry asks for the same
            elif any((n.dim, n.field) == (need.dim, need.field) for n in self.moved):
                self._constrain(need.text)
            else:
                self._conflict(need, own[need.field])
            if need.dim:
                self._meet(need, attributes)

    def state(self) -> tuple[Any, ...]:
        """What `restore` takes, for an entry that fails."""
        bounds = {name: dict(own) for name, own in self.bounds.items()}
        return bounds, list(self.constraints), dict(self.stated)

    def restore(self, state: tuple[Any, ...]) -> None:
        bounds, constraints, stated = state
        self.bounds.clear()
        self.bounds.update(bounds)
        self.constraints[:] = constraints
        self.stated, self.open = stated, {}

    @property
    def moved(self) -> list[Need]:
        """The needs that stand as bounds which the user has not written."""
        return [
            n
            for n in self.stated
            if n.dim and self.bounds.get(n.dim, {}).get(n.field) == n.bound
        ]

    def _constrain(self, text: str) -> None:
        if text not in self.constraints:
            self.constraints.append(text)

    def _conflict(self, need: Need, own: int | str) -> None:
        fail(
            f"dims.{need.dim}.{need.field}",
            f"expected {_WORDS[need.field]} {str(need.bound).removeprefix('$')}, as "
            f"{need.by} takes no other sizes, found {str(own).removeprefix('$')}",
            f"leave {need.field}= of b.dim({need.dim!r}) out, or give it such a bound",
        )

    def _meet(self, need: Need, attributes: Mapping[str, Any]) -> None:
        """Refuses bounds that leave no size of a dim."""
        own: dict[str, Any] = {
            name: evaluate(bound, attributes) if isinstance(bound, str) else bound
            for name, bound in self.bounds.get(need.dim, {}).items()
        }
        least, most = own.get("min", 0), own.get("max")
        factor = max(own.get("multiple_of", 1), 1)
        if most is not None and -(-least // factor) * factor > most:
            fail(
                f"dims.{need.dim}",
                f"expected sizes that {need.by} takes, {_WORDS[need.field]} "
                f"{str(need.bound).removeprefix('$')}, found bounds that leave none",
                "give the dim other bounds, or another name than dims of other sizes",
            )


@dataclass
class _Dims:
    """The dims of an included entry in the words of the entry that calls it."""

    trace: Trace
    sizes: Mapping[str, Any]

    def __post_init__(self) -> None:
        self.entry = self.trace
        while self.entry.parent is not None:
            self.entry = self.entry.parent

    def tree(self, dim: str) -> Tree:
        size = self.sizes[dim]
        if not isinstance(size, Dim):
            return rooted(tree_of_number(size), self.trace)
        tree = tree_of_number(self.entry.dim(size.size))
        if tree is None:
            self.fault(
                "",
                f"a size for {dim} that dims of {self.entry.name} say",
                "one that no dim has a name for",
                'give the axis a name: bx.Input(["batch", "seq"])',
            )
        return tree

    def trees(self, relation: Any) -> dict[str, Tree]:
        return {n: self.tree(n) for n in relation.names if n in self.sizes}

    def fault(self, by: str, wanted: str, found: str, hint: str = "") -> None:
        caller = self.trace.parent
        assert caller is not None
        who = f", as {by} says" if by else ""
        caller.fault(
            self.trace.node,
            f"expected {wanted}{who}, found {found}",
            hint,
            code="dims",
        )


def _tree(value: int | str, numbers: Mapping[str, Any], dims: dict[str, Tree]) -> Tree:
    """A number, or an expression of attributes and dims of the included Graph."""
    if not isinstance(value, str):
        return value

    def named(name: str) -> Tree:
        return dims[name] if name in dims else tree_of_number(numbers[name])

    return tree_of(value, named)


def _proven(comparison: Callable[[Any, Any], Any], a: Any, b: Any) -> bool:
    """True where JAX knows that it holds for all sizes within the bounds."""
    try:
        return operator.truth(comparison(a, b)) is True
    except Exception:  # of JAX: it can't decide
        return False
