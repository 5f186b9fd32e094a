"""The ops that are recognised, a module for each kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from ..internals import JaxprEqn, Literal, dtype_of
from ..spelling import ELEMENTWISE, first_name
from .attention import Attention
from .axes import ALONG
from .elements import elements
from .norms import NORMS
from .proposal import Pattern, Structure
from .rope import Rope

__all__ = ["STRUCTURES", "patterns_at"]

STRUCTURES: tuple[Structure, ...] = (Rope(),)

Patterns = dict[str, list[tuple[int, Pattern]]]


def patterns_at(equation: JaxprEqn) -> Iterator[tuple[int, Pattern]]:
    """The patterns that may begin at an equation, each with its rank among equals."""
    name = first_name(equation)
    yield from _along().get(name, ())
    if name in ELEMENTWISE:
        dtypes = {
            str(dtype_of(v)) for v in equation.invars if not isinstance(v, Literal)
        }
        for dtype in dtypes - {"bool"}:
            yield from _elements(dtype).get(name, ())


@cache
def _along() -> Patterns:
    return _sorted([*ALONG, *NORMS, Attention()])


@cache
def _elements(dtype: str) -> Patterns:
    return _sorted(elements(dtype))


def _sorted(patterns: Sequence[Pattern]) -> Patterns:
    """Patterns with their ranks, by the primitives at which they begin."""
    found: Patterns = {}
    for order, pattern in enumerate(patterns):
        for name in pattern.starts:
            found.setdefault(name, []).append((order, pattern))
    return found
