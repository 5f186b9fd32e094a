"""Layouts between one array and several: sums, copies, constants."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from blox.weights.dtypes import FLOATING, FROM_JAX

from .parts import groups, shown
from .spec import (
    Backwards,
    Layout,
    Spec,
    Specs,
    check,
    equal_bits,
    is_count,
    unfit,
)

if TYPE_CHECKING:
    from .spec import Array, Arrays


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
                unfit(f"expected arrays of one shape and dtype, found {shown(parts)}")
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
        sound = sound and math.prod(self.shape) < 2**40
        check(self, "shape", sound, "a tuple of sizes")

    @property
    def _spec(self) -> Spec:
        return Spec(self.shape, self.dtype)

    def shapes(self, given: Specs) -> list[Spec]:
        if not given or not self._is_last(given[-1]):
            unfit(f"expected {shown([self._spec])} at last, found {shown(given)}")
        return [*given[:-1]]

    def _is_last(self, spec: Spec) -> bool:
        either = spec.dtype == "float" and self.dtype in FLOATING
        return spec.shape == self.shape and (either or spec.dtype == self.dtype)

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
