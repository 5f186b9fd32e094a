"""Which axes of a product of queries and keys are batches, heads and times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jax import lax

from ..seen import Seen, Size
from .proposal import Site
from .scores import Product, Scores

Axes = Mapping[int, int]
"""For axes of what flows into the softmax those of another array."""


@dataclass(frozen=True)
class Layout:
    """The axes of what flows into the softmax, by what they are.

    Args:
        lead: the batches without the heads.
        heads: those that keys have too; None where all queries share one.
        groups: the heads of queries that share one of the keys, None where they don't.
        queries: their times, None of one query.
    """

    lead: tuple[int, ...]
    heads: int | None
    groups: int | None
    queries: int | None
    keys: int
    of_query: Axes
    of_key: Axes
    of_value: Axes
    of_output: Axes

    @property
    def of_heads(self) -> list[int]:
        """The axes of the heads of queries, which are one in the op."""
        return [i for i in (self.heads, self.groups) if i is not None]

    def asking(self, site: Site, node: int, axes: Axes, features: int) -> Seen:
        """Queries or results as the op has them, but for groups, which are apart."""
        every = [*self.lead, self.queries, *self.of_heads]
        own = [None if i is None else axes[i] for i in every]
        return self.seen(site, node, [*own, features])

    def asked(self, site: Site, node: int, axes: Axes, features: int) -> Seen:
        """Keys or values as the op has them."""
        heads = None if self.heads is None else axes[self.heads]
        lead = [axes[i] for i in self.lead]
        return self.seen(site, node, [*lead, axes[self.keys], heads, features])

    def seen(self, site: Site, node: int, axes: Sequence[int | None]) -> Seen:
        """A value with these of its axes, None for one of size 1."""
        sizes = site.table.nodes[node].shape
        shape: tuple[Size, ...] = tuple(1 if a is None else sizes[a] for a in axes)
        return Seen(node, tuple(axes), shape)


def layout_of(
    site: Site, parts: Scores, weights: Seen, over: int, first: Product, second: Product
) -> Layout | None:
    """The axes of two products around a softmax, if they are those of attention.

    Args:
        weights: what comes out of the softmax.
        over: the axis that it is of.
    """
    axes, sizes = parts.axes, weights.shape
    keys, features = first.free[1], second.free[1]
    if len(keys) != 1 or len(features) != 1 or axes[over] != keys[0][1]:
        return None
    places = {a: i for i, a in enumerate(weights.axes) if a is not None}
    asking = {axes.index(out): a for a, out in first.free[0] if out in axes}
    asked = {places[w]: out for w, out in second.free[0]}
    one = {axes.index(i): (a, b) for a, b, i in first.batch if i in axes}
    two = {places[w]: (v, o) for w, v, o in second.batch}
    if set(asking) != set(asked) or set(one) != set(two):
        return None
    if len(one) + len(asking) + 1 != len(places):
        return None
    by_axis = {a: i for i, (a, _) in one.items()}
    queries: int | None = None
    groups: int | None = None
    of_query = {**{i: a for i, (a, _) in one.items()}, **asking}
    if not asking:
        heads = by_axis.get(first.summed[0] - 1)
        if heads is None:
            return None
    elif len(asking) == 1 and _is_split(site, first, by_axis, of_query, *asking):
        (groups,) = asking
        heads = by_axis[asking[groups] - 1]
    elif len(asking) == 1:
        (queries,) = asking
        heads = by_axis.get(first.summed[0] - 1)
        if heads is None and len(by_axis) > 1:
            heads = by_axis.get(asking[queries] - 1)
        if heads is None:
            return None
    elif len(asking) == 2:
        queries, groups = _times_and_groups(asking, sizes, sizes[over])
        if not isinstance(sizes[groups], int):
            return None
        heads = by_axis.get(asking[groups] - 1)
        if heads is not None and not isinstance(sizes[heads], int):
            heads = None
    else:
        return None
    return Layout(
        tuple(by_axis[a] for a in sorted(by_axis) if by_axis[a] != heads),
        heads,
        groups,
        queries,
        over,
        of_query=of_query,
        of_key={**{i: b for i, (_, b) in one.items()}, over: keys[0][0]},
        of_value={**{i: v for i, (v, _) in two.items()}, over: second.summed[1]},
        of_output={**{i: o for i, (_, o) in two.items()}, **asked},
    )


def _is_split(
    site: Site, first: Product, by_axis: Axes, of_query: Axes, groups: int
) -> bool:
    """True where the axis that only queries have was one with that of heads before it."""
    node, axis = first.factors[0], of_query[groups]
    if axis - 1 not in by_axis:
        return False
    rest = [a for a in of_query.values() if a not in (axis, axis - 1)]
    order = (*rest, axis - 1, axis, first.summed[0])
    shape = site.table.nodes[node].shape
    seen = Seen(node, order, tuple(shape[a] for a in order))
    return all(isinstance(s, int) for s in seen.shape[-3:-1]) and (
        merged(site, seen, -3) is not None
    )


def _times_and_groups(
    of_query: Axes, sizes: Sequence[Size], keys: Size
) -> tuple[int, int]:
    """Of two axes that queries have and keys don't, that of time and the other: the time
    is as long as that of keys, or a symbol; else it comes first."""
    either = sorted(of_query, key=lambda i: of_query[i])
    one, two = (sizes[i] for i in either)
    first = isinstance(two, int) and (one == keys or two != keys)
    return (either[0], either[1]) if first else (either[1], either[0])


def join(x: Any, *, at: int) -> Any:
    """An array with one axis for two, the first of which is `at`, from the end."""
    at += x.ndim
    both = x.shape[at] * x.shape[at + 1]
    return lax.reshape(x, (*x.shape[:at], both, *x.shape[at + 2 :]))


def merged(site: Site, seen: Seen, at: int) -> Seen | None:
    """What an array was before one of its axes became two, the first of which is `at`,
    from the end; None where it never was."""
    node = site.table.nodes[seen.node]
    if node.kind[0] != "reshape":
        return None
    (given,), sizes = node.kind[2], dict(node.kind[1])["new_sizes"]
    own = [i for i, size in enumerate(sizes) if size != 1]
    places = [None if a is None else own[a] for a in seen.axes]
    first, second = places[at], places[at + 1]
    if first is None or second is None or second != first + 1:
        return None
    both = sizes[first] * sizes[second]
    if given.shape != (*sizes[:first], both, *sizes[second + 1 :]):
        return None
    kept = [p for p in places if p != second]
    return _taken(given, [p if p is None else p - (p > first) for p in kept])


def reshaped(site: Site, seen: Seen) -> Seen | None:
    """What an array, as it lies, is in another shape, if that is all that is made of it."""
    users = site.users(seen.node)
    node = site.table.nodes[users[0]] if len(users) == 1 else None
    if node is None or node.kind[0] != "reshape" or node.kind[2] != (seen,):
        return None
    sizes = dict(node.kind[1])["new_sizes"]
    own = [i for i, size in enumerate(sizes) if size != 1]
    axes = tuple(own.index(i) if i in own else None for i in range(len(sizes)))
    return Seen(users[0], axes, sizes)


def unrepeated(site: Site, seen: Seen) -> tuple[Seen, int] | None:
    """What an array was before each head, axis -2, became several, and how many."""
    node = site.table.nodes[seen.node]
    if node.kind[0] != "reshape":
        return None
    (given,), sizes = node.kind[2], dict(node.kind[1])["new_sizes"]
    own = [i for i, size in enumerate(sizes) if size != 1]
    places = [None if a is None else own[a] for a in seen.axes]
    at = places[-2]
    if at is None or len(given.shape) != len(sizes) + 1:
        return None
    count = given.shape[at + 1]
    rest = (*given.shape[:at], *given.shape[at + 2 :])
    if given.axes[at + 1] is not None or rest != (*sizes[:at], *sizes[at + 1 :]):
        return None
    if not isinstance(count, int) or count == 1:
        return None
    return _taken(given, [p if p is None else p + (p > at) for p in places]), count


def _taken(given: Seen, places: Sequence[int | None]) -> Seen:
    """It with these of its axes, None for one of size 1."""
    return Seen(
        given.node,
        tuple(None if p is None else given.axes[p] for p in places),
        tuple(1 if p is None else given.shape[p] for p in places),
    )
