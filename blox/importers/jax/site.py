"""The equations of one list, by the values that they give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .flatten import Flat
from .internals import JaxprEqn, Literal, Var
from .marks import mark_p
from .numbering import Numbering
from .seen import Seen
from .spelling import ELEMENTWISE, REDUCE
from .table import Table

NEAR = 3
"""Equations between an array and a reduction that says which axes an op may have."""
FEW = 16
"""Equations that a value further away may flow into, that are looked at."""


@dataclass(frozen=True)
class Cut:
    """Equations that an op may take the place of.

    Args:
        edge: the variables that flow into them.
        root: the place of the one that gives the result.
    """

    equations: frozenset[int]
    edge: frozenset[Var]
    root: int


class Equations(Numbering):
    """The equations of one list, by number."""

    def __init__(self, flat: Flat, equations: list[JaxprEqn]) -> None:
        super().__init__(Table(), flat.custom, flat.known)
        self.given = {v for v in flat.outputs if isinstance(v, Var)}
        self.equations = equations
        self.bases: dict[int, Var] = {}
        self.places: dict[Var, int] = {}
        self._places: dict[Var, set[int]] = {}
        self.makers: dict[int, list[int]] = {}
        self.scopes: list[tuple[int, ...]] = []
        self.ends: dict[int, int] = {}
        self._near: dict[int, list[tuple[int, ...]]] = {}
        self._number()

    def _number(self) -> None:
        scope: list[int] = []
        for place, equation in enumerate(self.equations):
            if equation.primitive is mark_p:
                if equation.params["mark"] == "enter":
                    scope.append(place)
                else:
                    self.ends[scope.pop()] = place
                self.scopes.append(tuple(scope))
                continue
            self.scopes.append(tuple(scope))
            for atom in equation.invars:
                if isinstance(atom, Var):
                    self._base(atom, self.of(atom))
                    self._places.setdefault(atom, set()).add(place)
            before = len(self.table.nodes)
            self.equation(equation)
            for variable in equation.outvars:
                seen = self.seen[variable]
                self.places[variable] = place
                made = seen.node >= before or seen.node in self.makers
                if made and not self._passes(equation, seen):
                    self.makers.setdefault(seen.node, []).append(place)
                    self._base(variable, seen)

    def _passes(self, equation: JaxprEqn, seen: Seen) -> bool:
        """True where an equation gives what flows in."""
        return any(self.of(v).node == seen.node for v in equation.invars)

    def _base(self, variable: Var, seen: Seen) -> None:
        node = self.table.nodes[seen.node]
        if node.number is None and len([a for a in seen.axes if a is not None]) == len(
            node.shape
        ):
            self.bases.setdefault(seen.node, variable)

    def places_of(self, variable: Var) -> set[int]:
        """The places of the equations that a variable flows into."""
        return self._places.get(variable, set())

    def users(self, node: int) -> list[int]:
        return self.table.users.get(node, [])

    def base(self, node: int) -> Var | None:
        return self.bases.get(node)

    def maker(self, node: int) -> JaxprEqn | None:
        places = self.makers.get(node)
        return self.equations[places[0]] if places else None

    def is_filled(self, seen: Seen) -> bool:
        """True for an array that one number fills."""
        return bool(seen.axes) and self.table.nodes[seen.node].number is not None

    def is_moved(self, seen: Seen) -> bool:
        """True where a value is needed in another layout than its own."""
        base = self.bases.get(seen.node)
        return base is not None and self.seen[base] != seen

    def given_by(self, place: int) -> Seen:
        """What an equation gives first."""
        return self.seen[self.equations[place].outvars[0]]

    def consumers(self, node: int) -> set[str]:
        """The primitives that a value flows into."""
        return {self.table.nodes[user].kind[0] for user in self.users(node)}

    def reductions(self, node: int) -> list[tuple[int, ...]]:
        if node not in self._near:
            self._near[node] = list(dict.fromkeys(self._reductions(node, NEAR)))
        return self._near[node]

    def _reductions(self, node: int, steps: int) -> Iterator[tuple[int, ...]]:
        users = self.users(node)
        for user in users if steps == NEAR else users[:FEW]:
            made = self.table.nodes[user]
            if made.kind[0] in REDUCE and isinstance(made.kind[3], tuple):
                yield made.kind[3]
            elif steps and made.kind[0] in (*ELEMENTWISE, "custom"):
                for operand, relative in made.operands:
                    if operand != node:
                        continue
                    for own in self._reductions(user, steps - 1):
                        axes = [relative[a] for a in own]
                        if None not in axes:
                            yield tuple(sorted(a for a in axes if a is not None))

    def cut(self, root: int, stops: frozenset[int]) -> Cut | None:
        """The equations from the operands to a result; None where what they give flows
        elsewhere, or where they belong to several functions of the source."""
        found, edge = {root}, set()
        waiting = [root]
        while waiting:
            for atom in self.equations[waiting.pop()].invars:
                if isinstance(atom, Literal):
                    continue
                node = self.of(atom).node
                if node in stops:
                    edge.add(atom)
                    continue
                place = self.places.get(atom)
                if self.table.nodes[node].fixed or place in found:
                    continue
                if place is None:
                    return None
                found.add(place)
                waiting.append(place)
        for place in found - {root}:
            for variable in self.equations[place].outvars:
                if variable in self.given or self.places_of(variable) - found:
                    return None
        while self.end(found, root) is None:
            then = self.passed_on(root)
            if then is None:
                return None
            root = then
            found.add(root)
        return Cut(frozenset(found), frozenset(edge), root)

    def passed_on(self, place: int) -> int | None:
        """The equation that alone uses what this one gives, and only lays it out."""
        (given,) = self.equations[place].outvars[:1]
        users = self.places_of(given)
        if len(users) != 1 or given in self.given:
            return None
        (user,) = users
        equation = self.equations[user]
        same = self.seen[given].node == self.given_by(user).node
        return user if same and len(equation.invars) == 1 else None

    def ways(self, node: int, edge: Iterable[Var]) -> Iterator[Var]:
        """The variables that have a value, from its own layout to how it flows in."""
        for variable in edge:
            if self.of(variable).node != node:
                continue
            chain = [variable]
            while (place := self.places.get(chain[-1])) is not None:
                given = self.equations[place].invars
                before = [
                    v for v in given if isinstance(v, Var) and self.of(v).node == node
                ]
                if not before:
                    break
                chain.append(before[0])
            yield from reversed(chain)

    def behind(
        self, table: int, node: int, edge: Iterable[Var]
    ) -> tuple[int, Var] | None:
        """Where a value that flows in is made, and the variable of one that it is made of."""
        for variable in edge:
            place = self.places.get(variable)
            if place is None or self.of(variable).node != table:
                continue
            waiting = [place]
            while waiting:
                for atom in self.equations[waiting.pop()].invars:
                    if isinstance(atom, Literal):
                        continue
                    if self.of(atom).node == node:
                        return place, next(self.ways(node, [atom]))
                    if atom in self.places:
                        waiting.append(self.places[atom])
        return None

    def end(self, found: set[int] | frozenset[int], root: int) -> int | None:
        """The place before which the op comes; None where there is none."""
        scopes = [self.scopes[place] for place in found]
        shared = scopes[0]
        for scope in scopes:
            count = sum(a == b for a, b in zip(shared, scope, strict=False))
            shared = shared[:count]
        for scope in scopes:
            for start in scope[len(shared) :]:
                if self.equations[start].params["name"] == "remat":
                    return None
                if not self._consumed(start, found):
                    return None
        own = self.scopes[root]
        return self.ends[own[len(shared)]] + 1 if len(own) > len(shared) else root

    def _consumed(self, start: int, found: set[int] | frozenset[int]) -> bool:
        """True where all of a marked function is part of the formula, but for constants."""
        inside = set(found)
        for place in reversed(range(start + 1, self.ends[start])):
            equation = self.equations[place]
            if place in found or equation.primitive is mark_p:
                continue
            users = {u for v in equation.outvars for u in self.places_of(v)}
            if users <= inside and not self.given.intersection(equation.outvars):
                inside.add(place)
            elif not self.is_fixed(equation):
                return False
        return True

    def is_fixed(self, equation: JaxprEqn) -> bool:
        """True where what it gives depends on nothing that flows in."""
        return all(self.table.nodes[self.of(v).node].fixed for v in equation.outvars)
