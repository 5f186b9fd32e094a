"""Sizes that are not known yet, in which the spec classes calculate as in numbers."""

from __future__ import annotations

from dataclasses import dataclass

_SUM, _PRODUCT, _ATOM = range(3)


@dataclass(frozen=True, slots=True)
class Unknown:
    """A size that other nodes or a call decide: `4 * units` of one is another one.

    Args:
        text: how it came about, `4 * units`; this is what the docs show.
        names: the fields that it is made of.
    """

    text: str
    names: frozenset[str]
    _binding: int = _ATOM

    @classmethod
    def named(cls, name: str) -> Unknown:
        """The size that stands in the field `name`."""
        return cls(name, frozenset({name}))

    @classmethod
    def written(cls, text: str, *, is_name: bool) -> Unknown:
        """The size that an expression stands for, as a part of others."""
        return cls(text, frozenset(), _ATOM if is_name else _SUM)

    def __str__(self) -> str:
        return self.text

    def __add__(self, other: int | Unknown) -> Unknown:
        return _joined(self, "+", other)

    def __radd__(self, other: int) -> Unknown:
        return _joined(other, "+", self)

    def __sub__(self, other: int | Unknown) -> Unknown:
        return _joined(self, "-", other)

    def __rsub__(self, other: int) -> Unknown:
        return _joined(other, "-", self)

    def __mul__(self, other: int | Unknown) -> Unknown:
        return _joined(self, "*", other)

    def __rmul__(self, other: int) -> Unknown:
        return self if other == 1 else _joined(other, "*", self)

    def __floordiv__(self, other: int | Unknown) -> Unknown:
        return _joined(self, "//", other)

    def __rfloordiv__(self, other: int) -> Unknown:
        return _joined(other, "//", self)

    def __mod__(self, other: int | Unknown) -> Unknown:
        return _joined(self, "%", other)

    def __rmod__(self, other: int) -> Unknown:
        return _joined(other, "%", self)


def _joined(a: int | Unknown, sign: str, b: int | Unknown) -> Unknown:
    """`a sign b`, with the brackets that Python needs."""
    binding = _SUM if sign in "+-" else _PRODUCT
    left, right = (v if isinstance(v, Unknown) else _number(v) for v in (a, b))
    # All bind to the left, so that only an equal on the right needs brackets.
    first = f"({left.text})" if left._binding < binding else left.text
    second = f"({right.text})" if right._binding <= binding else right.text
    return Unknown(f"{first} {sign} {second}", left.names | right.names, binding)


def _number(value: int) -> Unknown:
    return Unknown(str(value), frozenset())
