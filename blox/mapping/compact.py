"""Layouts of weights that are stored compactly: int8 with a scale, LoRA beside a kernel."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .parts import groups, shown
from .spec import MAX_COUNT, Backwards, Layout, Spec, Specs, check, floating, unfit

if TYPE_CHECKING:
    from .spec import Array, Arrays


@dataclass(frozen=True, repr=False)
class Quantize(Layout):
    """Each array as int8 and a scale, symmetric: `round(array / scale)`, `scale =
    max(abs(array)) / 127`.

    The way back is `values * scale`, in the dtype of scale. A scale is 1 where all numbers
    are 0; numbers that are not finite are refused.

    Args:
        axes: over which the largest is taken, counted from the end: `(-2,)` gives a kernel
            (in, out) a scale for each output.
    """

    axes: tuple[int, ...]
    lossy: ClassVar[bool] = True

    def __post_init__(self) -> None:
        axes = self.axes
        sound = isinstance(axes, tuple) and len(axes) <= MAX_COUNT
        sound = sound and all(type(a) is int and a < 0 for a in axes)
        distinct = sound and len({*axes}) == len(axes)
        check(self, "axes", distinct, "a tuple of axes from the end: -1, -2, ...")

    def shapes(self, given: Specs) -> list[Spec]:
        found = []
        for spec in given:
            floating(spec)
            found += [Spec(spec.shape, "int8"), self._scale(spec)]
        return found

    def unshapes(self, given: Specs) -> list[Spec]:
        found = []
        for values, scale in groups(given, 2):
            floating(scale)
            made = Spec(values.shape, scale.dtype)
            if values.dtype != "int8" or scale != self._scale(made):
                unfit(f"expected int8 and its scale, found {shown([values, scale])}")
            found.append(made)
        return found

    def _scale(self, spec: Spec) -> Spec:
        rank = len(spec.shape)
        if any(axis < -rank for axis in self.axes):
            unfit(f"expected the axes {self.axes}, found shape {list(spec.shape)}")
        sizes = enumerate(spec.shape)
        shape = (1 if at - rank in self.axes else size for at, size in sizes)
        return Spec(tuple(shape), spec.dtype)

    def forward(self, arrays: Arrays) -> list[Array]:
        return [part for array in arrays for part in self._quantized(array)]

    def _quantized(self, array: Array) -> tuple[Array, Array]:
        import numpy as np

        given = np.asarray(array)
        wide = given.astype(np.promote_types(given.dtype, np.float32))
        if not np.isfinite(wide).all():
            unfit("expected finite numbers, found others: int8 has none for them")
        largest = np.max(np.abs(wide), axis=self.axes, keepdims=True, initial=0)
        scale = (largest / 127).astype(given.dtype)
        # float16 rounds 9e-8 to 6e-8, by which the largest would be more than 127.
        short = largest > 127.5 * scale.astype(wide.dtype)
        scale = np.where(short, np.nextafter(scale, np.ones_like(scale)), scale)
        scale = np.where(largest == 0, np.ones_like(scale), scale)
        values = np.rint(wide / scale.astype(wide.dtype)).clip(-127, 127)
        return values.astype(np.int8), scale

    def back(self, arrays: Arrays) -> list[Array]:
        pairs = groups(arrays, 2)
        return [values.astype(scale.dtype) * scale for values, scale in pairs]


@dataclass(frozen=True, repr=False)
class Dequantize(Backwards, Quantize):
    """int8 and a scale as one array, `values * scale`: `Quantize` the other way around."""


@dataclass(frozen=True, repr=False)
class Merge(Layout):
    """LoRA folded into its kernel: `kernel + a @ b * (alpha / rank)`, in float32 at least.

    Of a kernel (..., in, out), a (..., in, rank) and b (..., rank, out). On the way back `a`
    and `b` are zeros.

    Args:
        rank: the size between `a` and `b`.
        alpha: what is added is times alpha / rank.
    """

    rank: int
    alpha: float
    lossy: ClassVar[bool] = True

    def __post_init__(self) -> None:
        size = type(self.rank) is int and 0 < self.rank < 2**31
        check(self, "rank", size, "a size")
        number = type(self.alpha) in (int, float)
        finite = number and abs(self.alpha) <= sys.float_info.max
        check(self, "alpha", finite, "a number")

    def shapes(self, given: Specs) -> list[Spec]:
        kernels = [kernel for kernel, *_ in groups(given, 3)]
        if self.unshapes(kernels) != [*given]:
            unfit(f"expected kernels with a and b of {self.rank}, found {shown(given)}")
        return kernels

    def unshapes(self, given: Specs) -> list[Spec]:
        found = []
        for kernel in given:
            floating(kernel)
            if len(kernel.shape) < 2:
                unfit(f"expected a kernel, found {shown([kernel])}")
            *outer, rows, columns = kernel.shape
            found.append(kernel)
            found.append(Spec((*outer, rows, self.rank), kernel.dtype))
            found.append(Spec((*outer, self.rank, columns), kernel.dtype))
        return found

    def forward(self, arrays: Arrays) -> list[Array]:
        import numpy as np

        factor = self.alpha / self.rank
        found = []
        for parts in groups(arrays, 3):
            dtype = parts[0].dtype
            wide = np.promote_types(dtype, np.float32)
            kernel, a, b = (np.asarray(array).astype(wide) for array in parts)
            found.append((kernel + a @ b * factor).astype(dtype))
        return found

    def back(self, arrays: Arrays) -> list[Array]:
        import numpy as np

        specs = (self.unshapes([Spec(a.shape, "float")])[1:] for a in arrays)
        return [
            part
            for kernel, (a, b) in zip(arrays, specs, strict=True)
            for part in (kernel, *(np.zeros(s.shape, kernel.dtype) for s in (a, b)))
        ]
