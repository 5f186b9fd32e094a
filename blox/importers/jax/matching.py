"""Finds where equations compute what a formula does: the formula is traced, and each of
its equations looked up among the values that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from .flatten import Flat, flatten
from .internals import Atom, JaxprEqn, Literal, Var
from .liveness import live
from .numbering import Numbering
from .seen import Seen, Unknown, lifted
from .spelling import COMMUTATIVE, ELEMENTWISE, SAME, sizes_of, spelling
from .table import Fixed, Table

HOLES = (0.6180340051651001, 0.7320507764816284, 0.4142135679721832)
"""Numbers that stand for any number in a formula: of float32, and in no other formula."""
TRIES = 64
"""Candidates for what is not known yet that one formula may try."""


@dataclass(frozen=True, eq=False)
class Traced:
    """A formula as equations.

    Args:
        operands: names of its operands, with the variable of each.
        holes: names of the numbers that are not known.
    """

    flat: Flat
    equations: list[JaxprEqn]
    operands: Mapping[str, Var]
    holes: tuple[str, ...] = ()

    @property
    def first(self) -> JaxprEqn | None:
        """The first equation that an operand flows into."""
        own = set(self.operands.values())
        for equation in self.equations:
            if any(v in own for v in equation.invars if isinstance(v, Var)):
                return equation
        return None


def trace(
    function: Callable[..., Any],
    operands: Mapping[str, jax.ShapeDtypeStruct],
    numbers: Sequence[str] = (),
) -> Traced | None:
    """A formula of operands and of numbers that are holes; None where it can't be traced."""
    holes = dict(zip(numbers, HOLES, strict=False))

    def call(*arrays: Any) -> Any:
        given = dict(zip(operands, arrays, strict=True))
        return jax.tree.leaves(function(**given, **holes))

    try:
        closed = jax.make_jaxpr(call)(*operands.values())
    except Exception:
        return None
    flat = flatten(closed.jaxpr, closed.consts)
    names = dict(zip(operands, closed.jaxpr.invars, strict=True))
    return Traced(flat, live(flat)[0], names, tuple(numbers))


@dataclass(eq=False)
class Match:
    """A formula that was found.

    Args:
        outputs: the values that it gives.
        operands: what flows in.
        numbers: the numbers that its holes stand for.
    """

    outputs: tuple[Seen, ...]
    operands: Mapping[str, Seen]
    numbers: Mapping[str, Any] = field(default_factory=dict)


def matches(table: Table, traced: Traced, given: Mapping[str, Seen]) -> Iterator[Match]:
    """Where a formula of operands is computed, of which some may not be known yet."""
    yield from _Matching(table, traced, given).solutions(0)


class _Matching(Numbering):
    """A formula's equations among values that are there. What is not known yet has a
    number below 0, and is looked for where it flows into an equation."""

    def __init__(self, table: Table, traced: Traced, given: Mapping[str, Seen]) -> None:
        super().__init__(Fixed(table), traced.flat.custom, traced.flat.known)
        self.traced = traced
        self.found: dict[int, Seen] = {}
        self.names: dict[int, str] = {}
        self.tries = 0
        for place, (name, variable) in enumerate(traced.operands.items(), 1):
            if name in given:
                self.seen[variable] = given[name]
                continue
            shape = Numbering.new(_LOOSE, ("open", place), sizes_of(variable), "")
            self.seen[variable] = shape._replace(node=-place)
            self.names[-place] = name
        self.holes = {place: -100 - place for place, _ in enumerate(traced.holes)}

    def of(self, atom: Atom) -> Seen:
        if isinstance(atom, Literal) and not np.ndim(atom.val):
            hole = self.hole(atom)
            if hole is not None:
                return self.resolved(Seen(hole, (), ()))
        return self.resolved(super().of(atom))

    def hole(self, literal: Literal) -> int | None:
        """The hole that a literal stands for."""
        value = np.asarray(literal.val)
        if not self.holes or value.dtype.kind not in "fV":
            return None
        dtype: Any = literal.aval.dtype  # type: ignore[attr-defined]
        for place, hole in self.holes.items():
            if np.asarray(HOLES[place], dtype) == value.astype(dtype):
                return hole
        return None

    def resolved(self, seen: Seen) -> Seen:
        """What is known by now of a value."""
        bound = self.found.get(seen.node)
        if bound is None:
            return seen
        axes = tuple(None if a is None else bound.axes[a] for a in seen.axes)
        return Seen(bound.node, axes, seen.shape)

    def solutions(self, start: int) -> Iterator[Match]:
        """All ways to find the equations from here on."""
        for at in range(start, len(self.traced.equations)):
            equation = self.traced.equations[at]
            try:
                given = [self.of(v) for v in equation.invars]
                if any(s.node < 0 for s in given) and _asks(equation, given):
                    yield from self.open(at, equation, given)
                    return
                outputs = self.outputs(equation, given)
                for variable, seen in zip(equation.outvars, outputs, strict=True):
                    self.seen[variable] = self.named(variable, seen)
            except Unknown:
                return
        try:
            found = tuple(self.of(v) for v in self.traced.flat.outputs)
        except Unknown:
            return
        if all(s.node >= 0 for s in found):
            yield Match(found, *self.bindings())

    def bindings(self) -> tuple[dict[str, Seen], dict[str, Any]]:
        operands = {n: self.of(v) for n, v in self.traced.operands.items()}
        numbers = {
            name: self.table.nodes[self.found[self.holes[place]].node].number
            for place, name in enumerate(self.traced.holes)
            if self.holes[place] in self.found
        }
        return operands, numbers

    def open(
        self, at: int, equation: JaxprEqn, given: Sequence[Seen]
    ) -> Iterator[Match]:
        """Tries what stands in place of an operand that is not known."""
        if equation.primitive.name not in ELEMENTWISE:
            return
        name, params, operands = spelling(equation, given)
        operands = lifted(operands)
        unknown = [i for i, s in enumerate(operands) if s.node < 0]
        known = [i for i, s in enumerate(operands) if s.node >= 0]
        if len(unknown) != 1 or not known:
            return
        for node in self.table.users.get(operands[known[0]].node, ()):
            self.tries += 1
            made = self.table.nodes[node]
            if self.tries > TRIES or made.kind != (name, params):
                continue
            orders = [list(made.operands)]
            if name in COMMUTATIVE:
                orders.append(orders[0][::-1])
            for order in orders:
                bound = self.bound(operands, unknown[0], order)
                if bound is None:
                    continue
                kept = dict(self.found), dict(self.seen)
                self.found[operands[unknown[0]].node] = bound
                yield from self.solutions(at)
                self.found, self.seen = kept

    def bound(
        self,
        operands: Sequence[Seen],
        unknown: int,
        there: Sequence[tuple[int, tuple[int | None, ...]]],
    ) -> Seen | None:
        """What the unknown operand is, if the others are those that are there."""
        pairs = zip(operands, there, strict=True)
        known = [pair for i, pair in enumerate(pairs) if i != unknown]
        if any(seen.node != node for seen, (node, _) in known):
            return None
        place: dict[int, int] = {}
        for seen, (_, relative) in known:
            for position, axis in enumerate(seen.axes):
                if axis is not None and axis in relative:
                    place[position] = relative.index(axis)
        node, relative = there[unknown]
        wanted = operands[unknown]
        rest = [f for f in range(len(relative)) if f not in place.values()]
        new = [p for p, a in enumerate(wanted.axes) if a is not None and p not in place]
        if len(rest) != len(new) or len(new) > 1:
            return None
        place |= zip(new, rest, strict=True)
        if wanted.node <= -100:
            number = self.table.nodes[node].number
            return Seen(node, (), ()) if number is not None else None
        axes: dict[int, int] = {}
        for position, axis in enumerate(wanted.axes):
            own = relative[place[position]] if position in place else None
            if (axis is None) != (own is None):
                return None
            if axis is not None and own is not None:
                axes[axis] = own
        made = self.table.nodes[node]
        variable = self.traced.operands[self.names[wanted.node]]
        if len(axes) != len(made.shape) or made.dtype != _dtype_of(variable):
            return None
        order = tuple(axes[i] for i in range(len(axes)))
        return Seen(node, order, tuple(made.shape[i] for i in order))


_LOOSE = Numbering(Table(), {}, {})


def _asks(equation: JaxprEqn, given: Sequence[Seen]) -> bool:
    """True where an equation needs to know its operands: one that only arranges doesn't."""
    arranges = _LOOSE.arranged(equation, given) is not None
    return not arranges and equation.primitive.name not in SAME


def _dtype_of(variable: Var) -> str:
    aval: Any = variable.aval
    return str(aval.dtype)
