"""Problems of an op's attributes: the field, what was expected, what was found."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from .diagnostics import Diagnostic, quote

MAX_ELEMENTS = 2**31
"""Elements of an array that an op makes of its attributes alone."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault in the attributes of one node, in `field`; "" is the node as a whole.

    Values that a file chose go into `message` through `quote()`.
    """

    field: str
    message: str

    @classmethod
    def expected(cls, field: str, expected: str, found: Any) -> Self:
        """`Problem.expected("eps", "a number above 0", self.eps)`."""
        return cls(field, f"expected {expected}, found {quote(found)}")

    def at(self, path: str, code: str = "attribute") -> Diagnostic:
        """The finding that this is for the node at `path`."""
        where = f"{path}.{self.field}" if self.field else path
        return Diagnostic(code, where, self.message)

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


def not_real(field: str, dtype: str) -> Problem:
    """The problem of an operand that has to be real."""
    parts = "`real`, `imag` and `abs` give such"
    return Problem(field, f"expected real numbers ({parts}), found {dtype}")


def too_many(field: str, sizes: Iterable[Any]) -> Iterator[Problem]:
    """A problem where the product of the sizes that are known is beyond reason."""
    count = math.prod(s for s in sizes if isinstance(s, int))
    if count > MAX_ELEMENTS:
        yield Problem.expected(field, "at most 2**31 elements", count)


def mirrored_too_far(
    field: str, pads: Iterable[Sequence[Any]], axes: Iterable[Any]
) -> Iterator[Problem]:
    """A problem where padding goes through an axis, again and again, more than 16 times.

    Each time is a step of a loop while the op is traced.
    """
    for pair, size in zip(pads, axes, strict=False):
        known = [pad for pad in pair if isinstance(pad, int)]
        if isinstance(size, int) and any(pad > 16 * size for pad in known):
            found = f"{list(pair)} for an axis of {size}"
            yield Problem(field, f"expected at most 16 times the axis, found {found}")
