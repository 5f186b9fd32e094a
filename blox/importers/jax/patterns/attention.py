"""Attention: scores, a softmax over the keys, and the mean of values that it weighs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from jax import lax

from ..internals import JaxprEqn
from ..numbers import number_of
from ..seen import Seen, Size
from .axes import SOFTMAX
from .heads import Layout, join, layout_of, merged, reshaped, unrepeated
from .masks import Masks, masks_of
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
        if second.summed[0] != weights.axes[over]:
            continue
        for parts in taken_apart(site, scores):
            made = Product.of(site.table.nodes[parts.node])
            for first in (made, made.turned()) if made is not None else ():
                layout = layout_of(site, parts, weights, over, first, second)
                if layout is not None:
                    yield from _found(site, parts, layout, first, second, user)


def _found(
    site: Site, parts: Scores, layout: Layout, first: Product, second: Product, out: int
) -> Iterator[Whole]:
    """The op, with scale and masks in all ways that it may take them."""
    nodes, features = site.table.nodes, second.free[1][0]
    value = layout.asked(site, second.factors[1], layout.of_value, features[0])
    output = layout.asking(site, out, layout.of_output, features[1])
    for query, key, scale in _unscaled(site, first.factors, parts.scale):
        every = {
            "query": layout.asking(site, query, layout.of_query, first.summed[0]),
            "key": layout.asked(site, key, layout.of_key, first.summed[1]),
            "value": value,
        }
        if any(nodes[x.node].dtype != "float32" for x in every.values()):
            return
        attributes = _attributes(scale, every["query"].shape[-1], parts.softcap)
        for masks in masks_of(site, parts, layout):
            yield _grouped(site, layout, every, masks, attributes, output)


def _grouped(
    site: Site,
    layout: Layout,
    every: Mapping[str, Seen],
    masks: Masks,
    attributes: Mapping[str, Any],
    output: Seen,
) -> Whole:
    """The op of queries of which several have the same keys, where they have."""
    operands, before = dict(every), dict(masks.before)
    after, count = None, 1
    if layout.groups is not None:
        count = int(output.shape[-2])
        if layout.heads is not None:
            joined = merged(site, operands["query"], -3)
            operands["query"] = joined or operands["query"]
            before |= {} if joined else {"query": partial(join, at=-3)}
            output, after = reshaped(site, output) or output, lax.reshape
    else:
        key, value = (unrepeated(site, operands[name]) for name in ("key", "value"))
        if key is not None and value is not None and key[1] == value[1]:
            operands["key"], operands["value"], count = key[0], value[0], key[1]
    said = {**attributes, **masks.attributes}
    if count > 1:
        said["heads_per_kv"] = count
    taken = {"scale": None, "heads_per_kv": 1, **said}
    return Whole(
        op="dot_product_attention",
        attributes=said,
        function=partial(formula("dot_product_attention"), **taken),
        operands={**operands, **masks.operands},
        output=output,
        before=before,
        after=after,
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
