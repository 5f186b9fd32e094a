"""An array as an equation sees it: a value by its number, and how its axes lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Unknown(Exception):
    """An equation of a formula that no equation here is."""


Size = int | str


class Seen(NamedTuple):
    """An array as an equation sees it.

    Args:
        node: its number; below 0 it is not known yet.
        axes: for each axis that of the node, or None for one of size 1 or broadcast.
        shape: its sizes; symbols are texts.
    """

    node: int
    axes: tuple[int | None, ...]
    shape: tuple[Size, ...]

    def transpose(self, order: Sequence[int]) -> Seen:
        return Seen(
            self.node,
            tuple(self.axes[i] for i in order),
            tuple(self.shape[i] for i in order),
        )


def lifted(given: Sequence[Seen]) -> list[Seen]:
    """Operands of one rank: scalars fill the shape of the others."""
    rank = max(len(s.axes) for s in given)
    found = []
    for seen in given:
        if len(seen.axes) not in (0, rank):
            raise Unknown
        found.append(
            seen
            if len(seen.axes) == rank
            else Seen(seen.node, (None,) * rank, (1,) * rank)
        )
    return found


def frame(given: Sequence[Seen]) -> list[int]:
    """The axes that any operand has, in the order of that which has most of them."""
    order: list[int] = []
    for seen in sorted(given, key=lambda s: -sum(a is not None for a in s.axes)):
        own = [i for i, a in enumerate(seen.axes) if a is not None and i not in order]
        order += sorted(own, key=lambda i: seen.axes[i] or 0)
    return order


def joined(shapes: Sequence[Sequence[Size]]) -> tuple[Size, ...]:
    """The shape of operands together."""
    return tuple(
        next((s for s in sizes if s != 1), 1) for sizes in zip(*shapes, strict=True)
    )


def grown(x: Seen, shape: tuple[Size, ...], places: Sequence[int]) -> Seen:
    """Axis i at `places[i]` of a shape."""
    axes: list[int | None] = [None] * len(shape)
    for axis, size, place in zip(x.axes, x.shape, places, strict=True):
        axes[place] = axis if size == shape[place] else None
    return Seen(x.node, tuple(axes), shape)


def regrouped(x: Seen, shape: tuple[Size, ...]) -> Seen | None:
    """It in a shape that differs by axes of size 1; None where more differs."""
    rest = [i for i, size in enumerate(x.shape) if size != 1]
    new = [i for i, size in enumerate(shape) if size != 1]
    if [x.shape[i] for i in rest] != [shape[i] for i in new]:
        return None
    return grown(x.transpose(rest), shape, new)
