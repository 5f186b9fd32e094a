"""Layouts between one array and its parts: split, joined, stacked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .spec import (
    MAX_COUNT,
    Backwards,
    Layout,
    Movable,
    Spec,
    Specs,
    axis_of,
    check,
    is_count,
    unfit,
)

if TYPE_CHECKING:
    from .spec import Array, Arrays

T = TypeVar("T")


@dataclass(frozen=True, repr=False)
class Split(Movable):
    """Each array as its parts along an axis: query, key and value of one `in_proj`.

    Args:
        parts: how many equal ones, or their sizes in proportion: `(4, 1, 1)`.
        axis: along which.
    """

    parts: int | tuple[int, ...]
    axis: int = 0

    def __post_init__(self) -> None:
        parts = self.parts
        many = isinstance(parts, tuple) and 0 < len(parts) <= MAX_COUNT
        sound = is_count(parts) or (many and all(_is_share(p) for p in self._shares))
        check(self, "parts", sound, "a number of parts, or their sizes in a tuple")
        check(self, "axis", type(self.axis) is int, "an integer")

    @property
    def _shares(self) -> tuple[int, ...]:
        return (1,) * self.parts if isinstance(self.parts, int) else self.parts

    def _sizes(self, whole: int) -> list[int]:
        unit, rest = divmod(whole, sum(self._shares))
        if rest:
            wanted = f"a multiple of {sum(self._shares)} on axis {self.axis}"
            unfit(f"expected {wanted}, found {whole}")
        return [unit * share for share in self._shares]

    def shapes(self, given: Specs) -> list[Spec]:
        found = []
        for shape, dtype in given:
            axis = axis_of(self.axis, shape)
            for size in self._sizes(shape[axis]):
                found.append(Spec((*shape[:axis], size, *shape[axis + 1 :]), dtype))
        return found

    def unshapes(self, given: Specs) -> list[Spec]:
        found = []
        for parts in groups(given, len(self._shares)):
            shape, dtype = parts[0]
            axis = axis_of(self.axis, shape)
            size = sum(part.shape[axis] for part in parts if len(part.shape) > axis)
            whole = Spec((*shape[:axis], size, *shape[axis + 1 :]), dtype)
            if Split.shapes(self, [whole]) != [*parts]:
                unfit(f"expected parts of one array, found {shown(parts)}")
            found.append(whole)
        return found

    def forward(self, arrays: Arrays) -> list[Array]:
        found = []
        for array in arrays:
            axis, start = axis_of(self.axis, array.shape), 0
            for size in self._sizes(array.shape[axis]):
                cut = slice(start, start + size)
                found.append(array[(*(slice(None),) * axis, cut)])
                start += size
        return found

    def back(self, arrays: Arrays) -> list[Array]:
        import numpy as np

        parts = groups(arrays, len(self._shares))
        return [np.concatenate(part, self.axis) for part in parts]

    def windows(self, targets: Arrays) -> list[Array] | None:
        return None


@dataclass(frozen=True, repr=False)
class Concat(Backwards, Split):
    """Several arrays as one, joined along an axis: `Split` the other way around."""

    def windows(self, targets: Arrays) -> list[Array] | None:
        return Split.forward(self, targets)


@dataclass(frozen=True, repr=False)
class Unstack(Layout):
    """Each array as those along an axis, which is left out.

    Args:
        parts: how many.
        axis: along which.
    """

    parts: int
    axis: int = 0

    def __post_init__(self) -> None:
        check(self, "parts", is_count(self.parts), "a number of parts")
        check(self, "axis", type(self.axis) is int, "an integer")

    def shapes(self, given: Specs) -> list[Spec]:
        found = []
        for shape, dtype in given:
            axis = axis_of(self.axis, shape)
            if shape[axis] != self.parts:
                unfit(f"expected {self.parts} on axis {axis}, found {shape[axis]}")
            found += [Spec(shape[:axis] + shape[axis + 1 :], dtype)] * self.parts
        return found

    def unshapes(self, given: Specs) -> list[Spec]:
        found = []
        for parts in groups(given, self.parts):
            (shape, dtype), *_ = parts
            if any(part != parts[0] for part in parts):
                unfit(f"expected arrays of one shape, found {shown(parts)}")
            axis = axis_of(self.axis, (0, *shape))
            found.append(Spec((*shape[:axis], self.parts, *shape[axis:]), dtype))
        return found

    def forward(self, arrays: Arrays) -> list[Array]:
        import numpy as np

        return [part for a in arrays for part in np.moveaxis(a, self.axis, 0)]

    def back(self, arrays: Arrays) -> list[Array]:
        import numpy as np

        return [np.stack(part, self.axis) for part in groups(arrays, self.parts)]


@dataclass(frozen=True, repr=False)
class Stack(Backwards, Unstack):
    """Several arrays as one, along a new axis: `Unstack` the other way around."""

    def windows(self, targets: Arrays) -> list[Array] | None:
        return Unstack.forward(self, targets) if min(map(_rank, targets)) > 1 else None


def groups(found: Sequence[T], count: int) -> Iterator[Sequence[T]]:
    """`found` by `count` each. Raises `Unfit` where they don't come out even."""
    if not found or len(found) % count:
        unfit(f"expected {count} arrays, or a multiple of it, found {len(found)}")
    for start in range(0, len(found), count):
        yield found[start : start + count]


def _rank(array: Array) -> int:
    return array.ndim


def _is_share(value: object) -> bool:
    return type(value) is int and 0 < value < 2**31


def shown(specs: Specs) -> str:
    return ", ".join(f"{dtype}{list(shape)}" for shape, dtype in specs[:8]) or "none"
