"""Numbers at several sizes as expressions of them: exact at other sizes, or none at all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from blox.importers.fitting import fitted
from blox.importers.tried import points

OTHERS = (3, 10, 64, 1009)


@pytest.mark.parametrize("step", [1, 4])
@pytest.mark.parametrize(
    "function",
    [
        lambda n: 7,
        lambda n: 3 * n - 2,
        lambda n: n * n + n,
        lambda n: n // 2 + 1,
        lambda n: -(-n // 4),
        lambda n: (n + 1) // 2 - 3,
    ],
)
def test_what_one_size_makes_is_found(
    function: Callable[[int], int], step: int
) -> None:
    tried = points({"n": {"multiple_of": step}})
    found = fitted(tried, [function(p["n"]) for p in tried], {"n": step})
    assert found is not None
    for size in OTHERS:
        n = size * step
        assert found.at({"n": n}) == found.of({"n": n}) == function(n)


@pytest.mark.parametrize(
    "function",
    [lambda n: n % 2, lambda n: min(n, 8), lambda n: n**3, lambda n: n.bit_count()],
)
def test_other_numbers_are_no_expression(function: Callable[[int], int]) -> None:
    tried = points({"n": {"multiple_of": 1}})
    assert fitted(tried, [function(p["n"]) for p in tried], {"n": 1}) is None


def test_products_of_two_sizes() -> None:
    tried = points({"h": {"multiple_of": 2}, "w": {"multiple_of": 2}})
    steps = {"h": 2, "w": 2}
    found = fitted(tried, [p["h"] * p["w"] // 4 + p["w"] for p in tried], steps)
    assert found is not None
    assert found.of({"h": 30, "w": 14}) == 30 * 14 // 4 + 14
    thirds = [p["h"] * p["w"] // 3 for p in tried]
    assert fitted(tried, thirds, steps) is None


def test_sizes_keep_to_their_bounds() -> None:
    tried = points({"n": {"multiple_of": 4, "min": 9, "max": 40}})
    assert all(12 <= p["n"] <= 40 and p["n"] % 4 == 0 for p in tried)
    assert len({p["n"] for p in tried}) == len(tried)
