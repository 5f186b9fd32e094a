"""Numbers that were seen at several sizes, as an expression of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement
from math import ceil, prod
from typing import Any, TypeAlias

Monomial: TypeAlias = tuple[str, ...]
"""The dims that are multiplied; `()` is the number 1."""
Point: TypeAlias = Mapping[str, int]
"""A size for each dim."""

DIVISORS = (2, 3, 4, 8, 16)
"""What a size is divided by where it is rounded."""


@dataclass(frozen=True)
class Fit:
    """`(sum of coefficients * products of dims) // divisor`.

    Args:
        steps: what each dim is a multiple of.
    """

    coefficients: Mapping[Monomial, Fraction]
    steps: Point
    divisor: int = 1

    def at(self, point: Point) -> int | Fraction:
        """Its value."""
        found = sum(
            (c * prod(point[d] for d in m) for m, c in self.coefficients.items()),
            Fraction(0),
        )
        return found // self.divisor if self.divisor > 1 else found

    def of(self, dims: Mapping[str, Any]) -> Any:
        """Its value, where dims are anything that calculates."""
        total: Any = 0
        for monomial, coefficient in self.coefficients.items():
            if not monomial:
                total = total + int(coefficient)
                continue
            first, rest = monomial[0], prod((dims[d] for d in monomial[1:]), start=1)
            whole = ceil(coefficient) if coefficient < 0 else int(coefficient)
            step = self.steps[first]
            parts = (coefficient - whole) * step
            scale = 1 if parts.denominator == 1 else self._scale(monomial[1:])
            if whole:
                total = total + whole * dims[first] * rest
            if parts and scale == 1:
                total = total + int(parts) * (dims[first] // step) * rest
            elif parts:
                over = (dims[first] * rest) // (step * scale)
                total = total + int(parts * scale) * over
        return total // self.divisor if self.divisor > 1 else total

    def _scale(self, monomial: Monomial) -> int:
        return prod(self.steps[d] for d in monomial)


def fitted(points: Sequence[Point], values: Sequence[int], steps: Point) -> Fit | None:
    """The simplest expression that gives these values: a number, a sum of multiples of the
    dims, one with products of two dims, and of one dim a sum that is divided.

    None where there is none that holds at more sizes than make it, or that is whole for
    all multiples of the steps.
    """
    dims = list(steps)
    for degree in (0, 1, 2):
        basis = [
            m for n in range(degree + 1) for m in combinations_with_replacement(dims, n)
        ]
        if len(basis) >= len(points):
            break
        found = _solved(points, values, basis)
        if found is not None:
            whole = all(
                (c * prod(steps[d] for d in m)).denominator == 1
                for m, c in found.items()
            )
            return Fit(found, steps) if whole else None
    return _rounded(points, values, steps) if len(dims) == 1 else None


def _solved(
    points: Sequence[Point], values: Sequence[int], basis: Sequence[Monomial]
) -> dict[Monomial, Fraction] | None:
    """The coefficients with which all equations hold; None where none or many do."""
    rows = [
        [*(Fraction(prod(p[d] for d in m)) for m in basis), Fraction(v)]
        for p, v in zip(points, values, strict=True)
    ]
    for column in range(len(basis)):
        pivot = next((r for r in rows[column:] if r[column]), None)
        if pivot is None:
            return None
        rows.remove(pivot)
        pivot = [x / pivot[column] for x in pivot]
        rows = [
            [x - row[column] * p for x, p in zip(row, pivot, strict=True)]
            for row in rows
        ]
        rows.insert(column, pivot)
    if any(row[-1] for row in rows[len(basis) :]):
        return None
    return {m: rows[i][-1] for i, m in enumerate(basis) if rows[i][-1]}


def _rounded(
    points: Sequence[Point], values: Sequence[int], steps: Point
) -> Fit | None:
    """`(a*n + b) // q` of one dim."""
    ((dim, step),) = steps.items()
    pairs = sorted((p[dim], v) for p, v in zip(points, values, strict=True))
    (low, first), (high, last) = pairs[0], pairs[-1]
    for q in DIVISORS:
        residues = {n // step % q for n, _ in pairs}
        if len(residues) < q or high == low:
            continue
        slope = Fraction(q * (last - first), high - low)
        for a in {int(slope), int(slope) + 1, int(slope) - 1}:
            least = max(q * v - a * n for n, v in pairs)
            most = min(q * v + q - 1 - a * n for n, v in pairs)
            if a and least <= most:
                return Fit({(dim,): Fraction(a), (): Fraction(least)}, steps, q)
    return None
