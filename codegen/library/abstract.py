"""What is known of values before a model runs: some of it, or some at each use."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

PRESENT = ast.Name("present")
"""Stands for an operand that is always there: `x is None` is False of it."""


class Unknown(Exception):
    """The value is known only when the model runs."""


class Opaque(int):
    """A size that is an integer, whatever its value."""

    def _unknown(self, *_: object) -> Any:
        raise Unknown

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (int, Symbol)):
            raise Unknown
        return False

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]
    __bool__ = __lt__ = __le__ = __gt__ = __ge__ = __index__ = _unknown


class Axis(Opaque):
    """The size of an axis: at least 0."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int) and not isinstance(other, Opaque) and other < 0:
            return False
        return super().__eq__(other)

    __hash__ = None


class Symbol:
    """A size that is an expression of dims: equal to itself, else nothing is known."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text or "?"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Symbol) and self.text == other.text is not None:
            return True
        raise Unknown

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True)
class DType:
    """A dtype; `float` is the model's floating type, whichever that is."""

    name: str

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DType):
            raise Unknown
        names = {self.name, other.name}
        if (
            "float" in names
            and len(names) > 1
            and any("float" in n for n in names - {"float"})
        ):
            raise Unknown
        return len(names) == 1


class Each(tuple[Any, ...]):
    """A value that differs from use to use."""


def lift(function: Callable[..., Any], *values: Any) -> Any:
    """A function of values of which some differ from use to use."""
    count = next((len(v) for v in values if isinstance(v, Each)), None)
    if count is None:
        return function(*values)
    rows = ([v[i] if isinstance(v, Each) else v for v in values] for i in range(count))
    return one_or_each([function(*row) for row in rows])


def one_or_each(found: Sequence[Any]) -> Any:
    """One value where all are the same."""
    first = found[0]
    for other in found[1:]:
        if type(other) is not type(first):
            return Each(found)
        try:
            if other != first:
                return Each(found)
        except Unknown:
            if other is not first:
                return Each(found)
    return first


def plain(value: Any) -> bool:
    """True of numbers, texts, and lists of them, which can be written."""
    if isinstance(value, (Opaque, Each)):
        return False
    if isinstance(value, (tuple, list)):
        return all(map(plain, value))
    return value is None or isinstance(value, (bool, int, float, str))
