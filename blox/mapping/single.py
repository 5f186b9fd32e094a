"""Layouts that turn each array into one: axes, gates, numbers, dtypes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from blox.weights.dtypes import FLOATING, FROM_JAX

from .spec import (
    Backwards,
    Layout,
    Movable,
    Spec,
    Specs,
    axis_of,
    check,
    floating,
    unfit,
)

if TYPE_CHECKING:
    from .spec import Array, Arrays


class Each(Layout):
    """The base of layouts that turn each array for itself."""

    def shapes(self, given: Specs) -> list[Spec]:
        return [self._shape(spec) for spec in given]

    def unshapes(self, given: Specs) -> list[Spec]:
        return [self._unshape(spec) for spec in given]

    def forward(self, arrays: Arrays) -> list[Array]:
        return [self._forward(array) for array in arrays]

    def back(self, arrays: Arrays) -> list[Array]:
        return [self._back(array) for array in arrays]

    def _shape(self, spec: Spec) -> Spec:
        return spec

    def _unshape(self, spec: Spec) -> Spec:
        return spec

    def _forward(self, array: Array) -> Array:
        raise NotImplementedError

    def _back(self, array: Array) -> Array:
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class Kernel(Movable, Each):
    """Of a linear map or a convolution in PyTorch: (out, in, spatial...) -> (spatial...,
    in, out)."""

    def _shape(self, spec: Spec) -> Spec:
        first, second, *rest = _at_least(2, spec.shape)
        return Spec((*rest, second, first), spec.dtype)

    def _unshape(self, spec: Spec) -> Spec:
        *rest, second, first = _at_least(2, spec.shape)
        return Spec((first, second, *rest), spec.dtype)

    def _forward(self, array: Array) -> Array:
        return array.transpose(*range(2, array.ndim), 1, 0)

    def _back(self, array: Array) -> Array:
        n = array.ndim
        return array.transpose(n - 1, n - 2, *range(n - 2))


@dataclass(frozen=True, repr=False)
class Transpose(Movable, Each):
    """Axis `axes[k]` of theirs becomes axis k of ours; all reversed by default."""

    axes: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        axes = self.axes
        sound = axes is None or (
            isinstance(axes, tuple)
            and all(type(a) is int for a in axes)
            and sorted(axes) == [*range(len(axes))]
        )
        check(self, "axes", sound, "a tuple of the axes 0, 1, ..., each once")

    def _of(self, ndim: int) -> tuple[int, ...]:
        axes = (*reversed(range(ndim)),) if self.axes is None else self.axes
        if len(axes) != ndim:
            unfit(f"expected {len(axes)} axes, found {ndim}")
        return axes

    def _shape(self, spec: Spec) -> Spec:
        axes = self._of(len(spec.shape))
        return Spec(tuple(spec.shape[a] for a in axes), spec.dtype)

    def _unshape(self, spec: Spec) -> Spec:
        axes = self._of(len(spec.shape))
        return Spec(
            tuple(spec.shape[axes.index(k)] for k in range(len(axes))), spec.dtype
        )

    def _forward(self, array: Array) -> Array:
        return array.transpose(self._of(array.ndim))

    def _back(self, array: Array) -> Array:
        axes = self._of(array.ndim)
        return array.transpose([axes.index(k) for k in range(len(axes))])


@dataclass(frozen=True, repr=False)
class Gates(Each):
    """Parts of an axis in another order: `Gates("zrn", "rzn")` of a GRU of Keras.

    Args:
        theirs: a letter for each of the equal parts of the axis, in their order.
        ours: the same letters in ours.
        axis: that which holds the parts.
    """

    theirs: str
    ours: str
    axis: int = -1

    def __post_init__(self) -> None:
        sound = isinstance(self.theirs, str) and 0 < len(self.theirs) <= 64
        check(self, "theirs", sound, "a letter for each part")
        distinct = len(set(self.theirs)) == len(self.theirs)
        check(self, "theirs", distinct, "letters that differ")
        same = isinstance(self.ours, str) and sorted(self.ours) == sorted(self.theirs)
        check(self, "ours", same, f"the letters of {self.theirs!r}")
        check(self, "axis", type(self.axis) is int, "an integer")

    def _shape(self, spec: Spec) -> Spec:
        axis = axis_of(self.axis, spec.shape)
        if spec.shape[axis] % len(self.ours):
            unfit(f"expected {len(self.ours)} equal parts, found {spec.shape[axis]}")
        return spec

    _unshape = _shape

    def _ordered(self, array: Array, found: str, wanted: str) -> Array:
        import numpy as np

        parts = np.split(array, len(found), self.axis)
        return np.concatenate([parts[found.index(gate)] for gate in wanted], self.axis)

    def _forward(self, array: Array) -> Array:
        return self._ordered(array, self.theirs, self.ours)

    def _back(self, array: Array) -> Array:
        return self._ordered(array, self.ours, self.theirs)


@dataclass(frozen=True, repr=False)
class Affine(Each):
    """`ours = theirs * scale + offset`, as Gemma's norms, whose scale is 1 + weight.

    The way back is rounded.
    """

    scale: float = 1.0
    offset: float = 0.0
    lossy: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("scale", "offset"):
            value = getattr(self, name)
            sound = type(value) in (int, float) and math.isfinite(value)
            check(self, name, sound and (name != "scale" or value != 0), "a number")

    def _shape(self, spec: Spec) -> Spec:
        floating(spec)
        return spec

    _unshape = _shape

    def _forward(self, array: Array) -> Array:
        one = array.dtype.type
        found: Array = array * one(self.scale) + one(self.offset)
        return found

    def _back(self, array: Array) -> Array:
        one = array.dtype.type
        found: Array = (array - one(self.offset)) / one(self.scale)
        return found


@dataclass(frozen=True, repr=False)
class Cast(Each):
    """From the dtype `theirs` to the dtype `ours`, and back; exact for values of both."""

    theirs: str
    ours: str
    lossy: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("theirs", "ours"):
            dtype = getattr(self, name)
            sound = isinstance(dtype, str) and dtype in FROM_JAX
            check(self, name, sound, "a dtype such as 'float32'")

    def _shape(self, spec: Spec) -> Spec:
        return _cast(spec, self.theirs, self.ours)

    def _unshape(self, spec: Spec) -> Spec:
        return _cast(spec, self.ours, self.theirs)

    def _forward(self, array: Array) -> Array:
        return array.astype(_dtype(self.ours))

    def _back(self, array: Array) -> Array:
        return array.astype(_dtype(self.theirs))


@dataclass(frozen=True, repr=False)
class Pad(Each):
    """Zeros at the end of an axis of ours: a vocabulary of a round size.

    Args:
        by: how many.
        axis: where.
        front: at its beginning instead.
    """

    by: int
    axis: int = 0
    front: bool = False

    def __post_init__(self) -> None:
        sound = type(self.by) is int and 0 < self.by < 2**31
        check(self, "by", sound, "a positive integer")
        check(self, "axis", type(self.axis) is int, "an integer")
        check(self, "front", type(self.front) is bool, "True or False")

    def _resized(self, spec: Spec, by: int) -> Spec:
        axis = axis_of(self.axis, spec.shape)
        size = spec.shape[axis] + by
        if size < 0:
            unfit(f"expected at least {self.by}, found {spec.shape[axis]}")
        return Spec((*spec.shape[:axis], size, *spec.shape[axis + 1 :]), spec.dtype)

    def _shape(self, spec: Spec) -> Spec:
        return self._resized(spec, self.by)

    def _unshape(self, spec: Spec) -> Spec:
        return self._resized(spec, -self.by)

    def _forward(self, array: Array) -> Array:
        import numpy as np

        axis = axis_of(self.axis, array.shape)
        widths = [(0, 0)] * array.ndim
        widths[axis] = (self.by, 0) if self.front else (0, self.by)
        return np.pad(array, widths)

    def _back(self, array: Array) -> Array:
        axis = axis_of(self.axis, array.shape)
        size = array.shape[axis]
        kept = slice(self.by, None) if self.front else slice(size - self.by)
        return array[(slice(None),) * axis + (kept,)]


def _at_least(count: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) < count:
        unfit(f"expected at least {count} axes, found shape {list(shape)}")
    return shape


def _dtype(name: str) -> type:
    import ml_dtypes
    import numpy as np

    found: type = getattr(ml_dtypes, name, None) or np.dtype(name).type
    return found


def _cast(spec: Spec, old: str, new: str) -> Spec:
    if spec.dtype != old and not (spec.dtype == "float" and old in FLOATING):
        unfit(f"expected dtype {old}, found {spec.dtype}")
    return Spec(spec.shape, new)


class Crop(Backwards, Pad):
    """The end of an axis of theirs is left out; zeros on the way back."""

    lossy: ClassVar[bool] = True
