"""Norms of groups of features: an axis is taken apart, and put together behind the norm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..seen import Seen
from .halves import own
from .heads import merged
from .parameters import parameters, said_norm
from .proposal import Site, Whole


def group_norms(site: Site, alone: Whole, over: Sequence[int]) -> Iterator[Whole]:
    """A standardised array as groups of another one, with scale and bias where they follow.

    Args:
        over: the axes that are averaged: places, and features of a group.
    """
    x, y = alone.operands["x"], alone.output
    rest = [i for i in range(len(x.axes)) if i not in over]
    for groups in rest:
        for inner in over:
            count, size = x.shape[groups], x.shape[inner]
            if not isinstance(count, int) or not isinstance(size, int):
                continue
            places = [i for i in over if i != inner]
            order = [*(i for i in rest if i != groups), *places, groups, inner]
            given = merged(site, x.transpose(order), -2)
            output = _together(site, y.transpose(order))
            if given is None or output is None or not places:
                continue
            more = {
                "features": count * size,
                "groups": count,
                "spatial_axes": len(places),
            }
            whole = replace(alone, operands={"x": given}, output=output)
            for found in parameters(site, whole, (len(order) - 2,)):
                yield said_norm("group_norm", found, more)


def _together(site: Site, y: Seen) -> Seen | None:
    """What becomes of an array whose last two axes are made one, if nothing else does."""
    users = site.users(y.node)
    made = site.table.nodes[users[0]] if len(users) == 1 else None
    if made is None or made.kind[0] != "reshape" or None in y.axes:
        return None
    (given,), sizes = made.kind[2], dict(made.kind[1])["new_sizes"]
    at = given.axes.index(y.axes[-2])
    if given.axes[at + 1 : at + 2] != y.axes[-1:]:
        return None
    both = given.shape[at] * given.shape[at + 1]
    if sizes != (*given.shape[:at], both, *given.shape[at + 2 :]):
        return None
    kept = own(sizes)
    places = [given.axes.index(a) for a in y.axes[:-1]]
    axes = tuple(kept.index(i - (i > at)) for i in places)
    return Seen(users[0], axes, tuple(made.shape[a] for a in axes))
