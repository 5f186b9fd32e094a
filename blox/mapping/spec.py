"""Arrays before they are read: shape and dtype. The base of what rearranges them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeAlias

from blox.schema.diagnostics import Diagnostic, SpecError, quote
from blox.weights.comparing import LeafSpec
from blox.weights.dtypes import FLOATING

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, Any]
    Arrays: TypeAlias = Sequence[np.ndarray[Any, Any]]


Spec: TypeAlias = LeafSpec
"""An array that is not read; the dtype `"float"` stands for any floating one."""
Specs: TypeAlias = Sequence[Spec]


class Unfit(ValueError):
    """A layout can't be applied to arrays of these shapes; says what it expects."""


@dataclass(frozen=True)
class Layout:
    """The base of layouts: from their arrays to ours, and back.

    `shapes` and `forward` go from theirs to ours, `unshapes` and `back` the other way, on
    what is known before reading and on arrays of NumPy. `back(forward(a))` is `a`, bit for
    bit, unless a layout is `lossy`.
    """

    lossy: ClassVar[bool] = False

    def shapes(self, given: Specs) -> list[Spec]:
        """What becomes of arrays of theirs. Raises `Unfit`."""
        raise NotImplementedError

    def unshapes(self, given: Specs) -> list[Spec]:
        """What becomes of arrays of ours. Raises `Unfit`."""
        raise NotImplementedError

    def forward(self, arrays: Arrays) -> list[Array]:
        """Ours; views where possible."""
        raise NotImplementedError

    def back(self, arrays: Arrays) -> list[Array]:
        """Theirs; views where possible."""
        raise NotImplementedError

    def windows(self, targets: Arrays) -> list[Array] | None:
        """Views of `targets` into which theirs can be written, None without any."""
        return None

    def __repr__(self) -> str:
        given = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"bx.layouts.{type(self).__name__}({', '.join(given)})"


class Movable(Layout):
    """The base of layouts that only change where numbers stand."""

    def windows(self, targets: Arrays) -> list[Array] | None:
        import numpy as np

        views = self.back(targets)
        shared = (any(np.may_share_memory(v, t) for t in targets) for v in views)
        return views if all(shared) else None


class Backwards(Layout):
    """First of two bases: what the second does, the other way around."""

    def shapes(self, given: Specs) -> list[Spec]:
        return super().unshapes(given)

    def unshapes(self, given: Specs) -> list[Spec]:
        return super().shapes(given)

    def forward(self, arrays: Arrays) -> list[Array]:
        return super().back(arrays)

    def back(self, arrays: Arrays) -> list[Array]:
        return super().forward(arrays)


def unfit(message: str) -> NoReturn:
    raise Unfit(message)


def check(layout: Layout, name: str, sound: bool, wanted: str) -> None:
    """Refuses a field of a layout.

    Raises:
        SpecError: it is not `sound`.
    """
    if not sound:
        found = quote(getattr(layout, name))
        path = f"{type(layout).__name__}.{name}"
        message = f"expected {wanted}, found {found}"
        raise SpecError(Diagnostic("mapping-rule", path, message))


MAX_COUNT = 4096
"""Arrays that one becomes, sizes and axes that a layout names."""


def is_count(value: Any) -> bool:
    return type(value) is int and 0 < value <= MAX_COUNT


def axis_of(axis: int, shape: Sequence[int]) -> int:
    """`axis` counted from the front. Raises `Unfit` where there is no such axis."""
    if not -len(shape) <= axis < len(shape):
        unfit(f"expected an axis {axis}, found shape {list(shape)}")
    return axis % len(shape)


def floating(spec: Spec) -> None:
    """Raises `Unfit` for an array of another dtype."""
    if spec.dtype != "float" and spec.dtype not in FLOATING:
        unfit(f"expected a floating dtype, found {spec.dtype}")


def part(array: Array, at: tuple[int, ...]) -> Array:
    """A view of what lies at a place on the leading axes."""
    place: Any = (*at, ...)
    found: Array = array[place]
    return found


def equal_bits(one: Array, other: Array) -> bool:
    """True for arrays of the same shape, dtype and bytes; compared in small parts."""
    import numpy as np

    if (one.shape, one.dtype) != (other.shape, other.dtype):
        return False
    if one.ndim > 1 and one.nbytes > _CHUNK:
        return all(equal_bits(a, b) for a, b in zip(one, other, strict=True))
    a, b = (np.ascontiguousarray(x).reshape(-1).view(np.uint8) for x in (one, other))
    return bool((a == b).all())


_CHUNK = 1 << 22
