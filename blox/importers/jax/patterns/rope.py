"""Rotary positions: pairs of features turned by angles, in whatever way that is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from ..internals import JaxprEqn
from ..seen import Seen, Size
from ..table import Node
from .halves import HALVES, PAIRS, joined, taken
from .proposal import Site, Whole, formula
from .tables import Half, half_of

NEAR = 8
"""Equations between what is turned and the result."""
Relative = tuple[int | None, ...]


class Angle(NamedTuple):
    """What one of a pair is multiplied by.

    Args:
        axes: for each axis of the result that of the node.
        whole: True where it lies as the result does, both of a pair having the same.
    """

    node: int
    axes: Relative
    whole: bool


Sum = Mapping[int, Sequence[tuple[int, Angle | None]]]
"""For the first and the second of each pair of x the signs and angles it is summed with."""


class Rope:
    """The op `rope`."""

    starts = ("concatenate", "reshape", "add")

    def wholes(self, site: Site, equation: JaxprEqn) -> Iterator[Whole]:
        (given,) = equation.outvars
        seen = site.of(given)
        made = site.table.nodes[seen.node]
        if not seen.axes or seen.axes[-1] is None or made.dtype != "float32":
            return
        if equation.primitive.name == "add" and not _is_turned(site, seen):
            return
        features = seen.axes[-1]
        for x in _candidates(site, seen.node):
            for layout in (HALVES, PAIRS):
                terms = _Terms(site, x, features, layout)
                both = [terms.of(seen.node, _same(made.shape), side) for side in (0, 1)]
                found = _angles(*both)
                if found is not None:
                    yield from _whole(site, seen.node, terms, found)


def _is_turned(site: Site, seen: Seen) -> bool:
    """True for a sum in which something is joined of two."""
    for product, _ in site.table.nodes[seen.node].operands:
        made = site.table.nodes[product]
        if made.kind[0] == "mul" and any(
            site.table.nodes[n].kind[0] in ("concatenate", "reshape")
            for n, _ in made.operands
        ):
            return True
    return False


def _same(shape: Sequence[object]) -> Relative:
    return tuple(range(len(shape)))


def _candidates(site: Site, node: int) -> list[int]:
    """What may be turned: arrays of the same shape that flow in."""
    nodes = site.table.nodes
    shape, found = nodes[node].shape, dict[int, None]()
    level = {node}
    for _ in range(NEAR):
        level = {n for above in level for n, _ in nodes[above].operands}
        found |= dict.fromkeys(sorted(level))
    sizes = Counter(shape)
    return [
        n
        for n in found
        if nodes[n].dtype == "float32" and Counter(nodes[n].shape) == sizes
    ]


@dataclass
class _Terms:
    """Writes values as sums of x by angles.

    Args:
        x: what is turned.
        features: the axis of the result that has the pairs.
        depth: how many sums and products lie around what is looked at.
        lies: for each axis of the result that of x, once x was found.
    """

    site: Site
    x: int
    features: int
    layout: str
    lies: Relative | None = None
    depth: int = 0

    def of(self, node: int, axes: Relative, side: int | None) -> Sum | None:
        """What a value is, None for what is none such.

        Args:
            axes: for each axis of the result that of the node.
            side: 0 for the first of each pair; None of a value of one for each pair.
        """
        at = axes[self.features]
        if at is None:
            return None
        if side is None:
            part = taken(self.site, node, self.layout, at)
            if part is not None:
                here = tuple(None if a is None else part.places[a] for a in axes)
                return self.alone(part.node, here, part.side)
        elif node == self.x:
            return self.alone(node, axes, side)
        else:
            whole = joined(self.site, node, at)
            if whole is not None and whole.layout == self.layout:
                places = whole.places[side]
                here = tuple(None if a is None else places[a] for a in axes)
                return self.of(whole.nodes[side], here, None)
        return self.calculated(node, axes, side)

    def alone(self, node: int, axes: Relative, side: int) -> Sum | None:
        """One of each pair of x itself, which always lies in the same way."""
        if node != self.x or None in axes or self.lies not in (None, axes):
            return None
        self.lies = axes
        return {side: [(1, None)]}

    def calculated(self, node: int, axes: Relative, side: int | None) -> Sum | None:
        made = self.site.table.nodes[node]
        if made.kind[0] not in ("neg", "add", "sub", "mul") or self.depth > NEAR:
            return None
        self.depth += 1
        try:
            return self.summed(made, axes, side)
        finally:
            self.depth -= 1

    def summed(self, made: Node, axes: Relative, side: int | None) -> Sum | None:
        given = [
            (inner, tuple(None if a is None else relative[a] for a in axes))
            for inner, relative in made.operands
        ]
        if made.kind[0] == "neg":
            found = self.of(*given[0], side)
            return None if found is None else _signed(found, -1)
        if made.kind[0] in ("add", "sub"):
            one = self.of(*given[0], side)
            two = None if one is None else self.of(*given[1], side)
            if one is None or two is None:
                return None
            two = _signed(two, 1 if made.kind[0] == "add" else -1)
            return {s: [*one.get(s, ()), *two.get(s, ())] for s in (0, 1)}
        for x, (other, here) in (given, given[::-1]):
            found = self.of(*x, side)
            angle = Angle(other, here, side is not None)
            if found is not None and here[self.features] is not None:
                return _turned(found, angle)
        return None


def _signed(found: Sum, sign: int) -> Sum:
    return {side: [(sign * s, a) for s, a in terms] for side, terms in found.items()}


def _turned(found: Sum, angle: Angle) -> Sum | None:
    if any(a is not None for terms in found.values() for _, a in terms):
        return None
    return {side: [(s, angle) for s, _ in terms] for side, terms in found.items()}


def _angles(first: Sum | None, second: Sum | None) -> tuple[Angle, Angle] | None:
    """cos and sin, if these are `a * cos - b * sin` and `b * cos + a * sin`."""
    if first is None or second is None:
        return None
    terms = [[*of.get(side, ())] for of in (first, second) for side in (0, 1)]
    if any(len(t) != 1 for t in terms):
        return None
    (one, cos), (two, sin), (three, low), (four, high) = (t[0] for t in terms)
    if (one, two, three, four) != (1, -1, 1, 1) or (cos, sin) != (high, low):
        return None
    return None if cos is None or sin is None else (cos, sin)


def _whole(
    site: Site, out: int, terms: _Terms, angles: tuple[Angle, Angle]
) -> Iterator[Whole]:
    nodes, shape = site.table.nodes, site.table.nodes[out].shape
    x, layout, features, lies = terms.x, terms.layout, terms.features, terms.lies
    assert lies is not None
    if any(nodes[a.node].dtype != "float32" for a in angles):
        return
    turned = {i for a in angles for i, own in enumerate(a.axes) if own is not None}
    times = [i for i in range(len(shape)) if i in turned and i != features]
    rest = [i for i in range(len(shape)) if i not in turned]
    if not times:
        return
    heads: int | None = None
    if rest and isinstance(shape[rest[-1]], int):
        heads = rest.pop()
    order = [*rest, *times, heads, features]
    halves: dict[str, Half] = {}
    for name, angle in zip(("cos", "sin"), angles, strict=True):
        axes = [angle.axes[i] for i in (*times, features)]
        half = half_of(site, angle.node, axes, layout if angle.whole else "")
        if half is None:
            return
        halves[name] = half
    turn: Callable[..., Any] = partial(formula("rope"), layout=layout)
    yield Whole(
        op="rope",
        attributes={} if layout == HALVES else {"layout": layout},
        function=turn,
        operands={
            "x": _lying(
                nodes[x].shape, x, [a if a is None else lies[a] for a in order]
            ),
            **{name: half.seen for name, half in halves.items()},
        },
        output=_lying(shape, out, order),
        before={n: h.made for n, h in halves.items() if h.made is not None},
        tables={n: h.table for n, h in halves.items() if h.table is not None},
    )


def _lying(shape: Sequence[Size], node: int, order: Sequence[int | None]) -> Seen:
    """A value with its axes in this order, None for one of size 1."""
    return Seen(node, tuple(order), tuple(1 if a is None else shape[a] for a in order))
