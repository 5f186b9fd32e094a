"""Problems of an op's attributes: the field, what was expected, what was found."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
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


def too_many(field: str, sizes: Iterable[Any]) -> Iterator[Problem]:
    """A problem where the product of the sizes that are known is beyond reason."""
    count = math.prod(s for s in sizes if isinstance(s, int))
    if count > MAX_ELEMENTS:
        yield Problem.expected(field, "at most 2**31 elements", count)
