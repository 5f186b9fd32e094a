"""One lazy layout for each array: transposes, broadcasts, new axes and those of size 1 are
kept aside until something needs the array itself, so that most are never written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .trace import Number, Size, Value


@dataclass(frozen=True, slots=True)
class View:
    """An array as the source sees it.

    Args:
        source: what it is made of; a number fills it, or a size.
        axes: for each of its axes that of the source, or None for one that is new, of
            size 1 or broadcast. Axes of the source that none is are of size 1.
        shape: its sizes.
        dtype: as JAX calls it.
    """

    source: Value | Number
    axes: tuple[int | None, ...]
    shape: tuple[Size, ...]
    dtype: str

    @classmethod
    def of(cls, value: Value) -> View:
        """The array as it is."""
        return cls(value, tuple(range(value.ndim)), value.shape, value.dtype)

    @classmethod
    def filled(cls, number: Number, shape: Sequence[Size], dtype: str) -> View:
        return cls(number, (None,) * len(shape), tuple(shape), dtype)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def is_number(self) -> bool:
        """True where all of it is one number."""
        return not isinstance(self.source, Value)

    @property
    def is_plain(self) -> bool:
        """True where it is the source itself."""
        return isinstance(self.source, Value) and (
            self.axes == tuple(range(self.source.ndim))
        )

    @property
    def is_arranged(self) -> bool:
        """True where each axis is one of the source: nothing is broadcast or new."""
        return isinstance(self.source, Value) and None not in self.axes

    def transpose(self, permutation: Sequence[int]) -> View:
        return View(
            self.source,
            tuple(self.axes[p] for p in permutation),
            tuple(self.shape[p] for p in permutation),
            self.dtype,
        )

    def broadcast(self, shape: Sequence[Size], places: Sequence[int]) -> View:
        """Axis i lies at `places[i]` of the result, and may grow if it is of size 1."""
        axes: list[int | None] = [None] * len(shape)
        for axis, size, place in zip(self.axes, self.shape, places, strict=True):
            axes[place] = axis if same(size, shape[place]) else None
        return View(self.source, tuple(axes), tuple(shape), self.dtype)

    def rebased(self, twin: View) -> View:
        """It as a View of what its source is a View of."""
        axes = tuple(None if a is None else twin.axes[a] for a in self.axes)
        return View(twin.source, axes, self.shape, self.dtype)

    def squeeze(self, gone: Sequence[int]) -> View:
        """Without axes of size 1."""
        kept = [i for i in range(self.ndim) if i not in gone]
        return self.transpose(kept)

    def regrouped(self, shape: Sequence[Size]) -> View | None:
        """It in another shape that differs by axes of size 1; None where more differs."""
        rest = [i for i, size in enumerate(self.shape) if not same(size, 1)]
        new = [i for i, size in enumerate(shape) if not same(size, 1)]
        if len(rest) != len(new) or not all(
            same(self.shape[a], shape[b]) for a, b in zip(rest, new, strict=True)
        ):
            return None
        ones = [i for i in range(self.ndim) if i not in rest]
        kept = self.squeeze(ones)
        return kept.broadcast(shape, new)


def same(a: Size, b: Size) -> bool:
    """True for sizes that are the same, whatever they stand for."""
    if isinstance(a, int) and isinstance(b, int):
        return a == b
    return type(a) is type(b) and str(a) == str(b)


def groups(
    old: Sequence[Size], new: Sequence[Size]
) -> list[tuple[range, range]] | None:
    """The axes of one shape and those of another that have the same elements, in order;
    sizes of 1 stand alone. None where that can't be told."""
    found: list[tuple[range, range]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        if i < len(old) and same(old[i], 1) and not (j < len(new) and same(new[j], 1)):
            found.append((range(i, i + 1), range(j, j)))
            i += 1
            continue
        if j < len(new) and same(new[j], 1) and not (i < len(old) and same(old[i], 1)):
            found.append((range(i, i), range(j, j + 1)))
            j += 1
            continue
        group = _group(old[i:], new[j:])
        if group is None:
            return None
        a, b = group
        found.append((range(i, i + a), range(j, j + b)))
        i, j = i + a, j + b
    return found


def _group(old: Sequence[Size], new: Sequence[Size]) -> tuple[int, int] | None:
    """How many axes of each are the first that have the same number of elements."""
    counts = [
        (a, b, math.prod(old[:a]), math.prod(new[:b]))
        for a in range(1, len(old) + 1)
        for b in range(1, len(new) + 1)
    ]
    equal = [(a, b) for a, b, m, n in counts if same(m, n)]
    return min(equal, key=sum, default=None)


def frame(views: Sequence[View], rank: int) -> list[int]:
    """The axes that NumPy's rules need to see of operands of one shape, in the order in
    which the result is best kept: that of the operand that has most of them."""
    if not rank:
        return []
    present = {i for v in views for i, a in enumerate(v.axes) if a is not None}
    fullest = max(views, key=lambda v: sum(a is not None for a in v.axes))
    own = sorted(
        (i for i, a in enumerate(fullest.axes) if a is not None),
        key=lambda i: fullest.axes[i] or 0,
    )
    return own if set(own) == present else [i for i in range(rank) if i in present]


def fits(view: View, order: Sequence[int]) -> bool:
    """True where NumPy's rules align the source with these axes as it is."""
    if not isinstance(view.source, Value):
        return True
    if view.source.ndim > len(order):
        return False
    for step in range(1, view.source.ndim + 1):
        axis = view.axes[order[-step]]
        at = view.source.ndim - step
        if axis is None:
            if at in view.axes or not same(view.source.shape[at], 1):
                return False
        elif axis != at:
            return False
    owned = [i for i in order if view.axes[i] is not None]
    return all(i in order[len(order) - view.source.ndim :] for i in owned)


def same_shape(a: Value, b: Value) -> bool:
    """True where two values have the same sizes."""
    return a.ndim == b.ndim and all(map(same, a.shape, b.shape))
