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
from .axes import SOFTMAX
from .proposal import Proposal, Site, Whole, formula
from .scores import Product, Scores, factor_of, taken_apart


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
        for parts in taken_apart(site, scores):
            made = Product.of(site.table.nodes[parts.node])
            for first in (made, made.turned()) if made is not None else ():
                layout = Layout.of(site, parts, weights, over, first, second)
                if layout is not None and second.summed[0] == weights.axes[over]:
                    yield from _found(site, parts, layout, first, second, user)


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
        found = factor_of(site, node)
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
