"""The mask and the bias of attention, as its op takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from jax import lax

from ..seen import Seen
from .causal import Part, added, conjuncts, is_behind, is_causal
from .heads import Layout, join, merged
from .proposal import Site
from .scores import Scores

CAUSAL = {"causal": True}


@dataclass(frozen=True)
class Masks:
    """What the op takes beside queries, keys and values.

    Args:
        before: what brings an operand into the form that the op takes.
    """

    operands: Mapping[str, Seen] = field(default_factory=dict)
    before: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def with_(self, other: Masks) -> Masks:
        return Masks(
            {**self.operands, **other.operands},
            {**self.before, **other.before},
            {**self.attributes, **other.attributes},
        )


def masks_of(site: Site, parts: Scores, layout: Layout) -> Iterator[Masks]:
    """Mask and bias of scores, in all ways that the op may take them.

    A mask that only hides the keys behind a query is the attribute `causal`. Where -inf
    stands for scores that are left out the op gives the same as long as a query has a key
    left, which such a mask says; any other one becomes a bias of 0 and -inf.
    """
    if parts.bias is not None and parts.mask is None:
        hidden = added(site, parts.bias)
        if hidden is not None and not _rest(site, layout, *hidden):
            yield Masks(attributes=CAUSAL)
            return
    own = Masks() if parts.bias is None else _operand(site, layout, "bias", parts.bias)
    if own is None:
        return
    if parts.mask is None:
        yield own
        return
    rest = _rest(site, layout, parts.mask, parts.hides)
    if not rest:
        yield own.with_(Masks(attributes=CAUSAL))
        return
    if parts.endless:
        if parts.bias is None:
            as_bias = partial(_added, hides=parts.hides)
            found = _operand(site, layout, "bias", parts.mask, as_bias)
            yield from [] if found is None else [found]
        return
    change = lax.bitwise_not if parts.hides else None
    ways = [(parts.mask, Masks())]
    if len(rest) == 1 and rest != [parts.mask]:
        ways.insert(0, (rest[0], Masks(attributes=CAUSAL)))
    for part, more in ways:
        found = _operand(site, layout, "mask", part, change)
        if found is not None:
            yield own.with_(found).with_(more)


def _rest(site: Site, layout: Layout, mask: Part, hides: bool) -> list[Part]:
    """The masks that are all True where one is, without those that only hide the keys
    behind a query; itself where there is none of those.

    Args:
        hides: True where it is True for keys that are hidden.
    """
    if layout.queries is None:
        return [mask]
    times = layout.queries, layout.keys
    every = [mask] if hides else [*conjuncts(site, mask)]
    causal = is_behind if hides else is_causal
    rest = [part for part in every if not causal(site, part, *times)]
    return rest if len(rest) < len(every) else [mask]


def _operand(
    site: Site,
    layout: Layout,
    name: str,
    part: Part,
    change: Callable[[Any], Any] | None = None,
) -> Masks | None:
    """A mask or a bias as an operand; None where the op can't take it."""
    node, relative = part
    heads = [relative[i] for i in layout.of_heads]
    if len(heads) > 1 and None in heads:
        if heads != [None, None]:
            return None
        heads = [None]
    axes = [relative[i] for i in layout.lead]
    queries = None if layout.queries is None else relative[layout.queries]
    axes += [*heads, queries, relative[layout.keys]]
    while len(axes) > 2 + len(heads) and axes[0] is None:
        del axes[0]
    made = site.table.nodes[node]
    flags = name == "mask" or change is not None
    if made.dtype != ("bool" if flags else "float32"):
        return None
    if sum(a is not None for a in axes) != len(made.shape):
        return None
    seen = layout.seen(site, node, axes)
    changes = [] if change is None else [change]
    if len(heads) > 1:
        joined = merged(site, seen, -4)
        seen = joined or seen
        changes += [] if joined else [partial(join, at=-4)]
    if not changes:
        return Masks({name: seen})

    def before(x: Any) -> Any:
        for step in changes:
            x = step(x)
        return x

    return Masks({name: seen}, {name: before})


def _added(mask: Any, *, hides: bool) -> Any:
    """A mask as what is added to scores."""
    kept = lax.full_like(mask, 0, np.float32)
    gone = lax.full_like(mask, -np.inf, np.float32)
    return lax.select_n(mask, *((kept, gone) if hides else (gone, kept)))
