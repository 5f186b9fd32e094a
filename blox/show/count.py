"""Numbers of operations: a number, or a polynomial of the dims that a call decides."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from operator import or_

MAX_TERMS = 24
"""Terms of a Count: of more, those of the highest degree are kept."""
_PREFIXES = ("", "k", "M", "G", "T", "P")
_BEYOND = 999_500 * 10**12

Powers = tuple[tuple[str, int], ...]
"""`batch*seq^2` as `(("batch", 1), ("seq", 2))`."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many operations there are: a sum of terms, each a number times sizes.

    Args:
        terms: the factor of each product of sizes; `{(): 5}` is the number 5.
        more: True where there are others too, of which nothing is known.
    """

    terms: Mapping[Powers, int | Fraction] = field(default_factory=dict)
    more: bool = False

    @classmethod
    def of(cls, number: int | Fraction) -> Count:
        return cls({(): number} if number else {})

    @classmethod
    def size(cls, name: str, divided_by: int = 1) -> Count:
        """A size that only a call decides."""
        return cls({((name, 1),): _whole(Fraction(1, divided_by))})

    @property
    def number(self) -> int | None:
        """The number that it is, None for one that is not known."""
        if self.more or self.terms.keys() - {()}:
            return None
        return int(self.terms.get((), 0))

    def __bool__(self) -> bool:
        """False where nothing is done."""
        return bool(self.terms) or self.more

    def __add__(self, other: Count) -> Count:
        return total((self, other))

    def __mul__(self, other: Count) -> Count:
        if other.terms.keys() == {()} and not other.more:
            factor = other.terms[()]
            return Count(
                {p: _whole(n * factor) for p, n in self.terms.items()}, self.more
            )
        found: dict[Powers, int | Fraction] = {}
        for a, x in self.terms.items():
            for b, y in other.terms.items():
                powers = _multiplied(a, b)
                found[powers] = _whole(found.get(powers, 0) + x * y)
        more = (self.more and bool(other)) or (other.more and bool(self))
        return _kept(found, more)

    def __or__(self, other: Count) -> Count:
        """The larger one; for polynomials the larger of each term, which is no less."""
        found = dict(self.terms)
        for powers, number in other.terms.items():
            found[powers] = max(found.get(powers, 0), number)
        for powers in self.terms.keys() - other.terms.keys():
            found[powers] = max(found[powers], 0)
        return _kept(found, self.more or other.more)

    def __str__(self) -> str:
        """`295296*batch*seq + 12`, ` + ?` where there is more; exact below 10^30."""
        return self._text(lambda n: str(n) if n < 10**30 else _rounded(n))

    def short(self, limit: int | None = None) -> str:
        """With three digits of each number: `295k*batch*seq + 12`.

        Of more than `limit` characters only the first terms: `295k*batch*seq + ...`.
        """
        return self._text(_rounded, limit)

    def _text(
        self, shown: Callable[[int | Fraction], str], limit: int | None = None
    ) -> str:
        text = ""
        for powers, number in sorted(self.terms.items(), key=_order):
            sign = (
                ("" if number > 0 else "-") if not text else (" + ", " - ")[number < 0]
            )
            sizes = [n if p == 1 else f"{n}^{p}" for n, p in powers]
            lead = (
                [shown(_unsigned(number))] if number not in (1, -1) or not sizes else []
            )
            term = sign + "*".join([*lead, *sizes])
            if limit is not None and len(text) + len(term) > limit:
                return f"{text} + ..." if text else "..."
            text += term
        if self.more:
            return f"{text} + ?" if text else "?"
        return text or "0"


ZERO = Count()
UNKNOWN = Count(more=True)


def total(counts: Iterable[Count]) -> Count:
    """The sum of all."""
    found: dict[Powers, int | Fraction] = {}
    more = False
    for count in counts:
        more = more or count.more
        for powers, number in count.terms.items():
            found[powers] = _whole(found.get(powers, 0) + number)
    return _kept(found, more)


def largest(counts: Iterable[Count]) -> Count:
    """The largest of some, 0 of none."""
    return reduce(or_, counts, ZERO)


def _kept(terms: dict[Powers, int | Fraction], more: bool) -> Count:
    found = {powers: number for powers, number in terms.items() if number}
    if len(found) > MAX_TERMS:
        kept = sorted(found.items(), key=_order)[:MAX_TERMS]
        return Count(dict(kept), True)
    return Count(found, more)


def _order(term: tuple[Powers, int | Fraction]) -> tuple[int, int | Fraction, Powers]:
    """The highest degree first, of these the largest number."""
    powers, number = term
    return -sum(p for _, p in powers), -_unsigned(number), powers


def _multiplied(a: Powers, b: Powers) -> Powers:
    if not a or not b:
        return a or b
    found = dict(a)
    for name, power in b:
        found[name] = found.get(name, 0) + power
    return tuple(sorted(found.items()))


def _unsigned(number: int | Fraction) -> int | Fraction:
    return number if number > 0 else -number


def _whole(number: int | Fraction) -> int | Fraction:
    if isinstance(number, Fraction) and number.denominator == 1:
        return number.numerator
    return number


def _rounded(number: int | Fraction) -> str:
    """`12`, `1.5`, `295k`, `1.23M`; beyond what prefixes say `1.23e+18`."""
    if number >= _BEYOND:
        return f"{Decimal(math.floor(number)):.2e}"
    value, i = float(number), 0
    while value >= 999.5:
        value, i = value / 1000, i + 1
    return f"{value:.3g}{_PREFIXES[i]}"
