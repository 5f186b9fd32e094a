"""Which sizes a model is tried at, where its code needs numbers."""

from __future__ import annotations

from collections.abc import Mapping

STEPS = (1, 2, 4, 8, 16, 32, 64, 128, 3, 5, 6, 10, 12)
"""What sizes are tried to be multiples of, until the code runs and is the same at all."""
FACTORS = (5, 6, 7, 9, 12, 11, 8)
"""The multiples that are tried: they leave other remainders by 2, 3 and 4."""
LARGER = (10, 13, 14, 15, 16, 20, 30, 32, 50, 64, 97, 100, 128, 200, 256, 300, 500, 512,
          1000, 1009, 1024)  # fmt: skip
"""Those at which it must be the same too: round ones, powers of 2 and primes."""
APART = (10, 32, 100, 1009)
"""The same of one dim where there are others, which stay small."""
GREATEST = 4096
"""The size up to which all `LARGER` ones are tried where nothing bounds it."""
EVERY = 64
"""Within a bound of so many multiples all of them are tried; so many are, to find one."""
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


def larger(dims: Mapping[str, Mapping[str, int]], least: int) -> list[dict[str, int]]:
    """Further sizes for dims, from the `least` multiple to their bounds or to large ones.

    Args:
        dims: see `points`.
        least: the multiple from which on all are tried.
    """
    tops = {
        name: bounds["max"] // bounds["multiple_of"] if "max" in bounds else None
        for name, bounds in dims.items()
    }
    steps = {name: bounds["multiple_of"] for name, bounds in dims.items()}

    def scaled(factors: Mapping[str, int]) -> dict[str, int]:
        found = {}
        for name, factor in factors.items():
            top = tops[name]
            found[name] = steps[name] * (factor if top is None else min(factor, top))
        return found

    if len(dims) == 1:
        ((name, top),) = tops.items()
        if top is not None and top - least < EVERY:
            return [scaled({name: f}) for f in range(least, top + 1)]
        end = [] if top is None else [top, top - 1]
        most = max(GREATEST // steps[name], 128) if top is None else top
        return [scaled({name: f}) for f in (*LARGER, *end) if f <= most]
    found = [scaled(dict.fromkeys(dims, factor)) for factor in APART]
    for name in dims:
        for rest in (least, FACTORS[1]):
            found += [
                scaled({**dict.fromkeys(dims, rest), name: f}) for f in (*APART, least)
            ]
        found += [scaled({**dict.fromkeys(dims, APART[-1]), name: least})]
    return [dict(p) for p in dict.fromkeys(tuple(point.items()) for point in found)]
