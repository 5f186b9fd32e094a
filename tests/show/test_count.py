"""Numbers of operations: arithmetic of polynomials, and how they are written."""

from __future__ import annotations

import math
from typing import Any

import pytest

from blox.show.count import Count


def evaluated(count: Count, dims: dict[str, int]) -> Any:
    return sum(
        n * math.prod(dims[name] ** p for name, p in powers)
        for powers, n in count.terms.items()
    )


def test_polynomials_add_and_multiply_as_their_values_do() -> None:
    a, b, c = Count.size("a"), Count.size("b", 3), Count.of(-5)
    dims = {"a": 7, "b": 12}
    x, y = a * a + b + c, b * Count.of(6) + a + Count.of(2)
    p, q = 7 * 7 + 4 - 5, 4 * 6 + 7 + 2
    assert (evaluated(x, dims), evaluated(y, dims)) == (p, q)
    assert evaluated(x * y, dims) == p * q
    assert evaluated(x + y, dims) == p + q
    assert evaluated(x | y, dims) >= max(p, q)
    assert str(x) == "a^2 + 1/3*b - 5"
    assert str(y) == "a + 2*b + 2" or str(y) == "2*b + a + 2"
    assert str(x + x * Count.of(-1)) == "0"
    assert not x * Count.of(0)


def test_polynomials_stay_short() -> None:
    many = sum((Count.size(f"n{i}") for i in range(100)), start=Count.of(3))
    product = many * many * many
    assert len(many.terms) == len(product.terms) == 24
    assert many.more
    assert str(product).endswith(" + ?")


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (1000, "1k"), (1234, "1.23k"), (999_499, "999k"),
     (999_999, "1M"), (21_340_924, "21.3M"), (10**15, "1P"), (123 * 10**15, "123P"),
     (999_999 * 10**12, "1.00e+18"), (10**5000, "1.00e+5000")],
    ids=lambda v: v if isinstance(v, str) else "",
)  # fmt: skip
def test_numbers_have_three_digits(number: int, text: str) -> None:
    assert Count.of(number).short() == text
