"""Attention: scores, a softmax over the keys, and the mean of values that it weighs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ..internals import JaxprEqn
from ..numbers import number_of
from ..seen import Seen, Size
from ..table import Node
from .axes import SOFTMAX
from .proposal import Proposal, Site, Whole, formula

LEAST = -1e9
"""What stands for scores that are masked must be at most this: its weight is then 0."""
Relative = tuple[int | None, ...]


@dataclass(frozen=True)
class Scores:
    """What scores are made of, with axes as the scores have them.

    Args:
        node: the scores as far as they are taken apart.
        axes: for each axis of what flows into the softmax that of the node.
    """

    node: int
    axes: Relative
    mask: tuple[int, Relative] | None = None
    bias: tuple[int, Relative] | None = None
    softcap: float | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class Product:
    """A product of two arrays with batches in common, one axis of each alone, and one that
    is summed.

    Args:
        factors: the nodes.
        batch: the axes of the two, and of the product.
        free: that of each factor alone, and of the product.
        summed: that of each factor.
    """

    factors: tuple[int, int]
    batch: tuple[tuple[int, int, int], ...]
    free: tuple[tuple[int, int], tuple[int, int]]
    summed: tuple[int, int]

    @classmethod
    def of(cls, node: Node) -> Product | None:
        if node.kind[0] != "dot_general" or node.kind[1] or node.dtype != "float32":
            return None
        _, _, factors, summed, order, _ = node.kind
        batch = [(a, b, i) for i, (a, b) in enumerate(order) if a >= 0 and b >= 0]
        left = [(a, i) for i, (a, b) in enumerate(order) if b < 0]
        right = [(b, i) for i, (a, b) in enumerate(order) if a < 0]
        if (len(left), len(right), len(summed)) != (1, 1, 1) or -1 in summed[0]:
            return None
        return cls(factors, tuple(batch), (left[0], right[0]), summed[0])

    def turned(self) -> Product:
        """With its factors in the other order."""
        batch = tuple((b, a, i) for a, b, i in self.batch)
        return Product(self.factors[::-1], batch, self.free[::-1], self.summed[::-1])


@dataclass(frozen=True)
class Attention:
    """Attention around a softmax."""

    starts: tuple[str, ...] = ("reduce_max",)

    def proposals(self, site: Site, equation: JaxprEqn) -> Iterator[Proposal]:
        for softmax in SOFTMAX:
            for proposal in softmax.proposals(site, equation):
                if isinstance(proposal.attributes["axis"], int):
                    key = ("attention", proposal.key)
                    yield replace(proposal, key=key, wholes=_wholes)


def _wholes(site: Site, softmax: Whole) -> Iterator[Whole]:
    scores, weights = softmax.operands["x"], softmax.output
    over = softmax.attributes["axis"] % len(scores.axes)
    for user in site.users(weights.node):
        second = Product.of(site.table.nodes[user])
        if second is not None and second.factors[0] != weights.node:
            second = second.turned()
        if second is None or second.factors[0] != weights.node:
            continue
        for parts in _taken_apart(site, scores):
            made = Product.of(site.table.nodes[parts.node])
            for first in (made, made.turned()) if made is not None else ():
                layout = Layout.of(site, parts, weights, over, first, second)
                if layout is not None and second.summed[0] == weights.axes[over]:
                    yield from _found(site, parts, layout, first, second, user)


def _taken_apart(site: Site, scores: Seen) -> Iterator[Scores]:
    """The scores without mask, bias, softcap and scale, in this order."""
    nodes = site.table.nodes
    found = Scores(scores.node, scores.axes)
    node = nodes[found.node]
    if node.kind[0] == "select_n" and len(node.operands) == 3:
        (mask, own), (fill, _), (inner, relative) = node.operands
        number = nodes[fill].number
        if number is None or not (LEAST >= number > -np.inf):
            return
        found = replace(
            found,
            node=inner,
            axes=_through(found.axes, relative),
            mask=(mask, _through(found.axes, own)),
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
    capped = _factor(site, found.node)
    if capped is not None and site.table.nodes[capped[1]].kind[0] == "tanh":
        ((inner, own),) = site.table.nodes[capped[1]].operands
        divided = _factor(site, inner)
        if divided is None or not math.isclose(divided[0] * capped[0], 1, rel_tol=1e-6):
            return
        axes = _through(_through(found.axes, capped[2]), own)
        found = replace(
            found,
            node=divided[1],
            axes=_through(axes, divided[2]),
            softcap=capped[0],
        )
    while (factor := _factor(site, found.node)) is not None:
        number, inner, relative = factor
        found = replace(
            found,
            node=inner,
            axes=_through(found.axes, relative),
            scale=found.scale * number,
        )
    yield found


def _factor(site: Site, node: int) -> tuple[float, int, Relative] | None:
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


@dataclass(frozen=True)
class Layout:
    """The axes of what flows into the softmax, by what they are.

    Args:
        lead: the batches without the heads.
    """

    lead: tuple[int, ...]
    heads: int
    queries: int
    keys: int
    of_first: dict[int, tuple[int, int]]
    """For batches and heads the axes of queries and keys."""
    of_second: dict[int, tuple[int, int]]
    """And those of values and result."""

    @classmethod
    def of(
        cls,
        site: Site,
        parts: Scores,
        weights: Seen,
        over: int,
        first: Product,
        second: Product,
    ) -> Layout | None:
        axes = parts.axes
        queries = [i for i, a in enumerate(axes) if a == first.free[0][1]]
        if axes[over] != first.free[1][1] or len(queries) != 1:
            return None
        if weights.axes[queries[0]] != second.free[0][0]:
            return None
        of_first = {axes.index(i): (a, b) for a, b, i in first.batch if i in axes}
        places = {a: i for i, a in enumerate(weights.axes) if a is not None}
        of_second = {places[w]: (v, o) for w, v, o in second.batch}
        if set(of_first) != set(of_second) or len(of_first) != len(first.batch):
            return None
        by_axis = {a: i for i, (a, _) in of_first.items()}
        heads = by_axis.get(first.summed[0] - 1)
        if heads is None and len(by_axis) > 1:
            heads = by_axis.get(first.free[0][0] - 1)
        if heads is None:
            return None
        lead = tuple(by_axis[a] for a in sorted(by_axis) if by_axis[a] != heads)
        return cls(lead, heads, queries[0], over, of_first, of_second)

    def seen(self, site: Site, node: int, axes: Sequence[int | None]) -> Seen:
        """A value with these of its axes, None for one of size 1."""
        sizes = site.table.nodes[node].shape
        shape: tuple[Size, ...] = tuple(1 if a is None else sizes[a] for a in axes)
        return Seen(node, tuple(axes), shape)


def _found(
    site: Site, parts: Scores, layout: Layout, first: Product, second: Product, out: int
) -> Iterator[Whole]:
    nodes, places = site.table.nodes, (*layout.lead, layout.heads)
    operands = {}
    for name, other in (("mask", parts.mask), ("bias", parts.bias)):
        if other is None:
            continue
        node, relative = other
        axes = [relative[i] for i in (*places, layout.queries, layout.keys)]
        while len(axes) > 3 and axes[0] is None:
            del axes[0]
        whole = sum(a is not None for a in axes) == len(nodes[node].shape)
        if not whole or nodes[node].dtype != ("bool" if name == "mask" else "float32"):
            return
        operands[name] = layout.seen(site, node, axes)

    def arranged(node: int, side: dict[int, int], time: int, features: int) -> Seen:
        lead = [side[i] for i in layout.lead]
        return layout.seen(site, node, [*lead, time, side[layout.heads], features])

    def side(pairs: dict[int, tuple[int, int]], which: int) -> dict[int, int]:
        return {i: pair[which] for i, pair in pairs.items()}

    values = arranged(
        second.factors[1],
        side(layout.of_second, 0),
        second.summed[1],
        second.free[1][0],
    )
    output = arranged(
        out, side(layout.of_second, 1), second.free[0][1], second.free[1][1]
    )
    for query, key, scale in _unscaled(site, first.factors, parts.scale):
        every = {
            "query": arranged(
                query, side(layout.of_first, 0), first.free[0][0], first.summed[0]
            ),
            "key": arranged(
                key, side(layout.of_first, 1), first.free[1][0], first.summed[1]
            ),
            "value": values,
            **operands,
        }
        features = every["query"].shape[-1]
        if any(
            nodes[every[n].node].dtype != "float32" for n in ("query", "key", "value")
        ):
            return
        attributes = _attributes(scale, features, parts.softcap)
        taken = {"scale": None, "heads_per_kv": 1, **attributes}
        yield Whole(
            op="dot_product_attention",
            attributes=attributes,
            function=partial(formula("dot_product_attention"), **taken),
            operands=every,
            output=output,
        )


def _unscaled(
    site: Site, factors: tuple[int, int], scale: float
) -> Iterator[tuple[int, int, float]]:
    """Queries, keys and the scale, that of queries or keys among it."""
    query, key = factors
    for node in (query, key):
        found = _factor(site, node)
        if found is not None and found[2] == tuple(range(len(found[2]))):
            number, inner, _ = found
            pair = (inner, key) if node == query else (query, inner)
            yield *pair, scale * number
    yield query, key, scale


def _attributes(scale: float, features: Size, softcap: float | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if not isinstance(features, int) or not math.isclose(
        scale, features**-0.5, rel_tol=1e-6
    ):
        found["scale"] = number_of(np.float32(scale))
    if softcap is not None:
        found["softcap"] = number_of(np.float32(softcap))
    return found
