"""`Rearrange`: axes by name, split, joined and moved, as einops writes it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from .single import Each
from .spec import Movable, Spec, check, unfit

if TYPE_CHECKING:
    from .spec import Array, Arrays

Axes = tuple[tuple[str, ...], ...]
"""The names in each axis; none in one of size 1."""

_TOKEN = re.compile(r"\s*(\(|\)|1(?!\w)|[A-Za-z_]\w{0,30})")
_MAX_LENGTH = 200


@dataclass(frozen=True, init=False, repr=False)
class Rearrange(Movable, Each):
    """Axes by name: `Rearrange("o (c h w) -> (h w c) o", c=3, h=4)`.

    Names in brackets are one axis, the first varies slowest. `1` is an axis of one. Both
    sides have the same names, each once.

    Args:
        pattern: axes of theirs -> axes of ours.
        sizes: of names; one in each axis may be left out.

    Einops of Rogozhnikov has the notation: https://openreview.net/forum?id=oapKSVM2bcj
    """

    pattern: str
    sizes: tuple[tuple[str, int], ...] = field(default=())

    def __init__(self, pattern: str, **sizes: int) -> None:
        object.__setattr__(self, "pattern", pattern)
        object.__setattr__(self, "sizes", tuple(sorted(sizes.items())))
        text = isinstance(pattern, str) and len(pattern) <= _MAX_LENGTH
        check(self, "pattern", text, f"at most {_MAX_LENGTH} characters")
        check(
            self, "pattern", self._sides is not None, "axes such as 'a (b c) -> c b a'"
        )
        known = {name for axis in self._theirs for name in axis}
        sound = all(
            name in known and type(n) is int and 0 < n < 2**31 for name, n in self.sizes
        )
        check(self, "sizes", sound, "positive sizes of names in the pattern")

    def __repr__(self) -> str:
        sizes = "".join(f", {name}={size}" for name, size in self.sizes)
        return f"bx.layouts.Rearrange({self.pattern!r}{sizes})"

    @cached_property
    def _sides(self) -> tuple[Axes, Axes] | None:
        sides = self.pattern.split("->")
        read = [_axes(side) for side in sides]
        if len(read) != 2 or read[0] is None or read[1] is None:
            return None
        names = [
            [name for axis in side for name in axis] for side in (read[0], read[1])
        ]
        same = sorted(names[0]) == sorted(names[1])
        return (
            (read[0], read[1]) if same and len(set(names[0])) == len(names[0]) else None
        )

    @property
    def _theirs(self) -> Axes:
        assert self._sides is not None
        return self._sides[0]

    @property
    def _ours(self) -> Axes:
        assert self._sides is not None
        return self._sides[1]

    def _shape(self, spec: Spec) -> Spec:
        return Spec(
            _joined(self._ours, self._known(spec.shape, self._theirs)), spec.dtype
        )

    def _unshape(self, spec: Spec) -> Spec:
        return Spec(
            _joined(self._theirs, self._known(spec.shape, self._ours)), spec.dtype
        )

    def _forward(self, array: Array) -> Array:
        return self._moved(array, self._theirs, self._ours)

    def _back(self, array: Array) -> Array:
        return self._moved(array, self._ours, self._theirs)

    def windows(self, targets: Arrays) -> list[Array] | None:
        joins = any(len(axis) > 1 for axis in self._theirs)
        return None if joins else super().windows(targets)

    def _known(self, shape: tuple[int, ...], axes: Axes) -> Mapping[str, int]:
        """The size of every name, of an array with these axes."""
        if len(shape) != len(axes):
            unfit(f"expected {len(axes)} axes, found shape {list(shape)}")
        sizes = dict(self.sizes)
        for size, names in zip(shape, axes, strict=True):
            open_ = [name for name in names if name not in sizes]
            given = math.prod(sizes[name] for name in names if name in sizes)
            if len(open_) > 1:
                unfit(f"expected sizes of all but one of {', '.join(open_)}")
            if (size % given) if open_ else (size != given):
                wanted = f"{'a multiple of ' if open_ else ''}{given}"
                unfit(f"expected {wanted} for ({' '.join(names)}), found {size}")
            sizes.update(dict.fromkeys(open_, size // given))
        return sizes

    def _moved(self, array: Array, old: Axes, new: Axes) -> Array:
        sizes = self._known(array.shape, old)
        names = [name for axis in old for name in axis]
        split = array.reshape([sizes[name] for name in names])
        moved = split.transpose([names.index(name) for axis in new for name in axis])
        return moved.reshape(_joined(new, sizes))


def _joined(axes: Axes, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(math.prod(sizes[name] for name in axis) for axis in axes)


def _axes(side: str) -> Axes | None:
    """The axes of one side, None for what is none."""
    axes: list[tuple[str, ...]] = []
    group: list[str] | None = None
    at, side = 0, side.strip()
    while at < len(side):
        found = _TOKEN.match(side, at)
        if found is None:
            return None
        at, token = found.end(), found[1]
        if token == "(" and group is None:
            group = []
        elif token == ")" and group is not None:
            axes.append(tuple(group))
            group = None
        elif token in "()":
            return None
        elif group is not None:
            group += [] if token == "1" else [token]
        else:
            axes.append(() if token == "1" else (token,))
    return None if group is not None else tuple(axes)
