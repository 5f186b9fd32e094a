"""Reshapes as axes that are split and joined."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise


def common_factors(before: Sequence[int], after: Sequence[int]) -> list[int] | None:
    """The sizes above 1 that the axes of both shapes are products of, in order; None where
    a reshape splits axes at places of which none divides the other."""
    total = math.prod(before)
    if not total:
        return None
    cuts = sorted({1, *_cuts(before), *_cuts(after), total})
    pairs = list(pairwise(cuts))
    if any(high % low for low, high in pairs):
        return None
    return [high // low for low, high in pairs]


def _cuts(shape: Sequence[int]) -> Iterator[int]:
    """How many elements the last axes have, one axis more each time."""
    count = 1
    for size in shape:
        count *= size
        yield count
