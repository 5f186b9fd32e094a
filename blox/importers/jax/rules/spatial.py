"""What convolutions and pools have in common: blocks of images, channels last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jax import lax

from ...trace import Size
from ...views import same
from ..context import Missing
from .places import at_least


def said_padding(
    sizes: Sequence[Size],
    reach: Sequence[Size],
    strides: Sequence[int],
    pads: Sequence[tuple[Size, Size]],
) -> Any:
    """Padding as a person says it: a word where that is what it is.

    Args:
        reach: how many elements a window covers, along each axis.
    """
    if all(same(n, 0) for pair in pads for n in pair):
        return "VALID"
    numbers = all(isinstance(n, int) for pair in pads for n in pair)
    even = all(same(a, b) for a, b in pads)
    if all(s == 1 for s in strides) or not numbers or not even:
        for word in ("SAME", "SAME_LOWER"):
            usual = lax.padtype_to_pads(sizes, reach, strides, word)
            if all(
                same(a, c) and same(b, d)
                for (a, b), (c, d) in zip(pads, usual, strict=True)
            ):
                return word
    return [list(pair) for pair in pads]


def one_or_each(numbers: Sequence[int]) -> Any:
    """A number where all are the same."""
    found = list(map(int, numbers))
    return found[0] if len(set(found)) == 1 else found


def split_padding(
    pads: Sequence[tuple[Size, Size]], what: str
) -> tuple[list[tuple[Size, Size]], list[tuple[Size, Size]]]:
    """(padding of at least 0, what is cut off before)."""
    more: list[tuple[Size, Size]] = []
    less: list[tuple[Size, Size]] = []
    for pair in pads:
        low = [at_least(n, 0) for n in pair]
        if None in low:
            raise Missing(f"{what}: padding {pair}, which some sizes make negative")
        a, b = (n if fine else 0 for n, fine in zip(pair, low, strict=True))
        c, d = (0 if fine else n for n, fine in zip(pair, low, strict=True))
        more.append((a, b))
        less.append((c, d))
    return more, less
