"""Ops in place of the equations that compute them: where equations are those of an op's
own formula, they become one.

What counts is equality, never a name: the formula is traced on the very arrays that flow
in, and each of its equations must be there, whatever lies between them. Values inside of it
must flow nowhere else. Where formulas overlap the longer one wins.

A function of the source that is marked is kept whole: a formula may take all of a function,
or lie within one, and may not take parts of two. What is rematerialised stays apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from .flatten import Flat
from .liveness import live
from .marks import layer_p, mark_p
from .matching import Match, Traced, matches, trace
from .patterns import STRUCTURES, patterns_at
from .patterns.proposal import Proposal, Whole
from .rewrite import Found, has_ways, rewritten
from .site import Equations


def recognise(flat: Flat) -> Flat:
    """The equations with ops in place of those that compute them."""
    site = Equations(flat, live(flat)[0])
    taken: set[int] = set()
    chosen = []
    for found in sorted(_Search(site).found(), key=lambda f: f.rank):
        if not taken & found.cut.equations:
            taken |= found.cut.equations
            chosen.append(found)
    made = {v for found in chosen for v in site.equations[found.cut.root].outvars}
    custom = {v: name for v, name in flat.custom.items() if v not in made}
    return replace(flat, equations=rewritten(site, chosen), custom=custom)


class _Search:
    """Looks for ops among equations."""

    def __init__(self, site: Equations) -> None:
        self.site = site
        self.traces: dict[Any, Traced | None] = {}

    def found(self) -> Iterator[Found]:
        """All ops that are there, those that overlap among them."""
        tried: set[Any] = set()
        for equation in self.site.equations:
            if equation.primitive in (mark_p, layer_p):
                continue
            for structure in STRUCTURES:
                if equation.primitive.name in structure.starts:
                    for whole in structure.wholes(self.site, equation):
                        yield from self.placed(whole, 0)
            for order, pattern in patterns_at(equation):
                for proposal in pattern.proposals(self.site, equation):
                    key = (proposal.key, tuple(proposal.given.items()))
                    if key not in tried:
                        tried.add(key)
                        yield from self.proved(proposal, order)

    def proved(self, proposal: Proposal, order: int) -> Iterator[Found]:
        """The places where a proposal is true."""
        traced = proposal.traced or self.traced(proposal)
        if traced is None:
            return
        for match in matches(self.site.table, traced, proposal.given):
            if any(self.site.is_filled(s) for s in match.operands.values()):
                continue
            numbers = {n: np.asarray(v).item() for n, v in match.numbers.items()}
            said = proposal.said(match.numbers)
            if said is None or not self.exact(proposal, match, numbers):
                continue
            alone = Whole(
                op=proposal.op,
                attributes={**proposal.attributes, **said},
                function=partial(proposal.function, **numbers),
                operands=match.operands,
                output=match.outputs[0],
                elementwise=proposal.elementwise,
            )
            wholes = (
                [alone]
                if proposal.wholes is None
                else proposal.wholes(self.site, alone)
            )
            for whole in wholes:
                yield from self.placed(whole, order)

    def placed(self, whole: Whole, order: int) -> Iterator[Found]:
        """The equations in whose place an op may come."""
        operands = whole.operands.values()
        stops = frozenset([*whole.tables.values(), *(s.node for s in operands)])
        for root in self.site.makers.get(whole.output.node, ()):
            cut = self.site.cut(root, stops)
            moved = any(map(self.site.is_moved, operands))
            if cut is not None and has_ways(self.site, whole, cut):
                wanted = self.site.given_by(cut.root)
                yield Found(whole, cut, order, wanted, moved)

    def traced(self, proposal: Proposal) -> Traced | None:
        key = proposal.key
        if key not in self.traces:
            self.traces[key] = trace(
                proposal.function, proposal.shapes, proposal.numbers
            )
        return self.traces[key]

    def exact(
        self, proposal: Proposal, match: Match, numbers: Mapping[str, Any]
    ) -> bool:
        """True where the formula with the numbers that were found is there."""
        if not proposal.numbers:
            return True
        if set(numbers) != set(proposal.numbers):
            return False
        function = partial(proposal.function, **numbers)
        key = (proposal.key, tuple(numbers.items()))
        if key not in self.traces:
            self.traces[key] = trace(function, proposal.shapes)
        traced = self.traces[key]
        if traced is None:
            return False
        again = matches(self.site.table, traced, match.operands)
        return any(m.outputs == match.outputs for m in again)
