"""Layouts between one array and several: parts, stacks, sums, copies, constants."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeVar

from blox.weights.dtypes import FROM_JAX

from .spec import (
    MAX_COUNT,
    Backwards,
    Layout,
    Movable,
    Spec,
    Specs,
    axis_of,
    check,
    equal_bits,
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
                unfit(f"expected parts of one array, found {_shown(parts)}")
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
                unfit(f"expected arrays of one shape, found {_shown(parts)}")
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


@dataclass(frozen=True, repr=False)
class _Many(Layout):
    """The base of layouts of `count` arrays of one shape that are one of ours."""

    count: int = 2

    def __post_init__(self) -> None:
        check(self, "count", is_count(self.count), "a number of arrays")

    def shapes(self, given: Specs) -> list[Spec]:
        found = []
        for parts in groups(given, self.count):
            if any(part != parts[0] for part in parts):
                unfit(f"expected arrays of one shape and dtype, found {_shown(parts)}")
            found.append(parts[0])
        return found

    def unshapes(self, given: Specs) -> list[Spec]:
        return [spec for spec in given for _ in range(self.count)]


@dataclass(frozen=True, repr=False)
class Sum(_Many):
    """Arrays that are added: `bias_ih` and `bias_hh` of an LSTM.

    On the way back the first is the sum, the others are zeros.
    """

    lossy: ClassVar[bool] = True

    def forward(self, arrays: Arrays) -> list[Array]:
        found = []
        for first, *others in groups(arrays, self.count):
            total = first
            for other in others:
                total = total + other
            found.append(total)
        return found

    def back(self, arrays: Arrays) -> list[Array]:
        import numpy as np

        zeros = self.count - 1
        return [b for a in arrays for b in (a, *[np.zeros_like(a)] * zeros)]


@dataclass(frozen=True, repr=False)
class Same(_Many):
    """Arrays that are equal and one of ours: tied weights. Others are refused."""

    def forward(self, arrays: Arrays) -> list[Array]:
        found = []
        for first, *others in groups(arrays, self.count):
            for other in others:
                if not equal_bits(first, other):
                    unfit("expected arrays that are equal, found others")
            found.append(first)
        return found

    def back(self, arrays: Arrays) -> list[Array]:
        return [array for array in arrays for _ in range(self.count)]


@dataclass(frozen=True, repr=False)
class Copies(Backwards, Same):
    """An array that is several of ours, which have to be equal on the way back."""


@dataclass(frozen=True, repr=False)
class Constant(Layout):
    """The last array of theirs has no place in ours: `num_batches_tracked`.

    On the way back it is made of one value.

    Args:
        value: of all of it.
        dtype: its dtype there.
        shape: its shape there.
    """

    value: float = 0
    dtype: str = "float32"
    shape: tuple[int, ...] = ()
    lossy: ClassVar[bool] = True

    def __post_init__(self) -> None:
        number = type(self.value) in (int, float, bool)
        check(self, "value", number and abs(self.value) < 2**63, "a number")
        named = isinstance(self.dtype, str) and self.dtype in FROM_JAX
        check(self, "dtype", named, "a dtype such as 'float32'")
        sizes = isinstance(self.shape, tuple) and len(self.shape) <= 16
        sound = sizes and all(type(n) is int and 0 <= n < 2**31 for n in self.shape)
        check(self, "shape", sound, "a tuple of sizes")

    @property
    def _spec(self) -> Spec:
        return Spec(self.shape, self.dtype)

    def shapes(self, given: Specs) -> list[Spec]:
        if not given or given[-1] != self._spec:
            unfit(f"expected {_shown([self._spec])} at last, found {_shown(given)}")
        return [*given[:-1]]

    def unshapes(self, given: Specs) -> list[Spec]:
        return [*given, self._spec]

    def forward(self, arrays: Arrays) -> list[Array]:
        return [*arrays[:-1]]

    def back(self, arrays: Arrays) -> list[Array]:
        import ml_dtypes
        import numpy as np

        dtype = getattr(ml_dtypes, self.dtype, None) or np.dtype(self.dtype)
        one = np.asarray(self.value).astype(dtype)
        return [*arrays, np.broadcast_to(one, self.shape)]


@dataclass(frozen=True, repr=False)
class Fill(Backwards, Constant):
    """An array of ours that they don't have, made of one value; the last of ours."""

    lossy: ClassVar[bool] = False


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


def _shown(specs: Specs) -> str:
    return ", ".join(f"{dtype}{list(shape)}" for shape, dtype in specs[:8]) or "none"
