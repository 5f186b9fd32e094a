"""The ops that are recognised, a module for each kind."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from ..internals import JaxprEqn, Literal, dtype_of
from ..spelling import ELEMENTWISE, first_name
from .axes import ALONG
from .elements import elements
from .proposal import Pattern

__all__ = ["patterns_at"]


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
def _along() -> dict[str, list[tuple[int, Pattern]]]:
    found: dict[str, list[tuple[int, Pattern]]] = {}
    for order, pattern in enumerate(ALONG):
        for name in pattern.starts:
            found.setdefault(name, []).append((order, pattern))
    return found


@cache
def _elements(dtype: str) -> dict[str, list[tuple[int, Pattern]]]:
    found: dict[str, list[tuple[int, Pattern]]] = {}
    for order, pattern in enumerate(elements(dtype)):
        first = pattern.traced.first
        assert first is not None
        found.setdefault(first_name(first), []).append((order, pattern))
    return found
