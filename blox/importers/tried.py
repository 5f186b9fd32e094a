"""Which sizes a model is tried at, where its code needs numbers."""

from __future__ import annotations

from collections.abc import Mapping

STEPS = (1, 2, 4, 8, 16, 32, 64, 128, 3, 5, 6, 10, 12)
"""What sizes are tried to be multiples of, until the code runs and is the same at all."""
FACTORS = (5, 6, 7, 9, 12, 11, 8)
"""The multiples that are tried: they leave other remainders by 2, 3 and 4."""
FAR = (1009, 1024)
"""Those at which it must be the same too: a prime and a power of 2."""
POWERS = (16, 32, 64, 128, 256, 512, 1024)
"""Those between, where it is not."""
FEWEST = 4
"""Sizes at least: what fits fewer may be chance."""
_ALONE = 5
"""Sizes of one dim; two have a few more, as products of them are told apart."""


def points(dims: Mapping[str, Mapping[str, int]]) -> list[dict[str, int]]:
    """Sizes for dims, that differ from each other.

    Args:
        dims: `min`, `max` and `multiple_of` of each.
    """
    columns = {}
    count = _ALONE if len(dims) == 1 else len(FACTORS)
    for place, (name, bounds) in enumerate(dims.items()):
        step = bounds["multiple_of"]
        low = -(-bounds.get("min", 1) // step)
        high = bounds.get("max", step * 10**6) // step
        shift = max(low - min(FACTORS), 0)
        factors = [f + shift for f in FACTORS if f + shift <= high]
        if len(factors) < FEWEST:
            factors = list(range(low, high + 1))[-len(FACTORS) :]
        turns = range(min(count, len(factors)))
        turned = [factors[(i * (place + 1) + place) % len(factors)] for i in turns]
        columns[name] = [step * f for f in turned]
    rows = range(min(map(len, columns.values()), default=0))
    return [{n: column[i] for n, column in columns.items()} for i in rows]
