"""Scores of attention, taken apart: a product, scaled and capped, with bias and mask."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..seen import Seen
from ..table import Node
from .proposal import Site

LEAST = -1e9
"""What stands for scores that are masked must be at most this: its weight is then 0."""
Relative = tuple[int | None, ...]


@dataclass(frozen=True)
class Scores:
    """What scores are made of, with axes as the scores have them.

    Args:
        node: the scores as far as they are taken apart.
        axes: for each axis of what flows into the softmax that of the node.
        hides: True where the mask is True for scores that are left out.
        endless: True where -inf stands for those.
    """

    node: int
    axes: Relative
    mask: tuple[int, Relative] | None = None
    hides: bool = False
    endless: bool = False
    bias: tuple[int, Relative] | None = None
    softcap: float | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class Product:
    """A product of two arrays with batches in common, axes of each alone, and one that is
    summed.

    Args:
        factors: the nodes.
        batch: the axes of the two, and of the product.
        free: those of each factor alone, each with that of the product.
        summed: that of each factor.
    """

    factors: tuple[int, int]
    batch: tuple[tuple[int, int, int], ...]
    free: tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]
    summed: tuple[int, int]

    @classmethod
    def of(cls, node: Node) -> Product | None:
        if node.kind[0] != "dot_general" or node.kind[1] or node.dtype != "float32":
            return None
        _, _, factors, summed, order, _ = node.kind
        batch = [(a, b, i) for i, (a, b) in enumerate(order) if a >= 0 and b >= 0]
        left = [(a, i) for i, (a, b) in enumerate(order) if b < 0]
        right = [(b, i) for i, (a, b) in enumerate(order) if a < 0]
        if len(summed) != 1 or -1 in summed[0]:
            return None
        return cls(factors, tuple(batch), (tuple(left), tuple(right)), summed[0])

    def turned(self) -> Product:
        """With its factors in the other order."""
        batch = tuple((b, a, i) for a, b, i in self.batch)
        (a, b), (c, d), (e, f) = self.factors, self.free, self.summed
        return Product((b, a), batch, (d, c), (f, e))


def taken_apart(site: Site, scores: Seen) -> Iterator[Scores]:
    """The scores without mask, bias, softcap and scale, in this order."""
    nodes = site.table.nodes
    found = Scores(scores.node, scores.axes)
    node = nodes[found.node]
    if node.kind[0] == "select_n" and len(node.operands) == 3:
        (mask, own), *cases = node.operands
        hides = nodes[cases[0][0]].number is None
        (fill, _), (inner, relative) = cases[::-1] if hides else cases
        number = nodes[fill].number
        if number is None or not number <= LEAST:
            return
        found = replace(
            found,
            node=inner,
            axes=_through(found.axes, relative),
            mask=(mask, _through(found.axes, own)),
            hides=hides,
            endless=number == -np.inf,
        )
    yield from _scaled(site, found)
    node = nodes[found.node]
    if node.kind[0] == "add":
        for (inner, relative), (bias, own) in (node.operands, node.operands[::-1]):
            yield from _scaled(
                site,
                replace(
                    found,
                    node=inner,
                    axes=_through(found.axes, relative),
                    bias=(bias, _through(found.axes, own)),
                ),
            )


def _scaled(site: Site, found: Scores) -> Iterator[Scores]:
    """The scores without softcap and scale."""
    capped = factor_of(site, found.node)
    if capped is not None and site.table.nodes[capped[1]].kind[0] == "tanh":
        ((inner, own),) = site.table.nodes[capped[1]].operands
        divided = factor_of(site, inner)
        if divided is None or not math.isclose(divided[0] * capped[0], 1, rel_tol=1e-6):
            return
        axes = _through(_through(found.axes, capped[2]), own)
        found = replace(
            found,
            node=divided[1],
            axes=_through(axes, divided[2]),
            softcap=capped[0],
        )
    while (factor := factor_of(site, found.node)) is not None:
        number, inner, relative = factor
        found = replace(
            found,
            node=inner,
            axes=_through(found.axes, relative),
            scale=found.scale * number,
        )
    yield found


def factor_of(site: Site, node: int) -> tuple[float, int, Relative] | None:
    """A number and what is multiplied by it."""
    made = site.table.nodes[node]
    if made.kind[0] not in ("mul", "div") or len(made.operands) != 2:
        return None
    first, second = made.operands
    pairs = (
        [(second, first)]
        if made.kind[0] == "div"
        else [(second, first), (first, second)]
    )
    for (number, _), (inner, relative) in pairs:
        value = site.table.nodes[number].number
        if value is not None and float(value) != 0:
            factor = float(value) if made.kind[0] == "mul" else 1 / float(value)
            return factor, inner, relative
    return None


def _through(axes: Sequence[int | None], relative: Relative) -> Relative:
    """Axes of a node as those of an operand of it."""
    return tuple(None if a is None else relative[a] for a in axes)
