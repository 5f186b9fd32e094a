"""Integers bit by bit. Operands broadcast and promote as in `jax.numpy`."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..deferred import Op
from ..dtypes import RealDType
from ..fields import Int, Tensor


class Bitwise(Op):
    """The base of ops of two operands, integers or booleans."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a", "b")

    a: Tensor
    b: Tensor


class Shift(Op):
    """The base of shifts of a by b bits: 0 <= b < the bits of a."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a",)

    a: Tensor
    b: Tensor


class BitwiseAnd(Bitwise):
    """The bits that a and b have both. (...), (...) -> (...)."""

    op: Literal["bitwise_and"] = "bitwise_and"


class BitwiseOr(Bitwise):
    """The bits that a or b has, or both. (...), (...) -> (...)."""

    op: Literal["bitwise_or"] = "bitwise_or"


class BitwiseXor(Bitwise):
    """The bits that one of a and b has. (...), (...) -> (...)."""

    op: Literal["bitwise_xor"] = "bitwise_xor"


class BitwiseNot(Op):
    """The bits that x has not, `-x - 1` for signed integers. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("invert", "bitwise_invert")

    op: Literal["bitwise_not"] = "bitwise_not"
    x: Tensor


class LeftShift(Shift):
    """a with its bits moved up by b, `a * 2 ** b`. (...), (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("shift_left", "bitwise_left_shift")

    op: Literal["left_shift"] = "left_shift"


class RightShift(Shift):
    """a with its bits moved down by b, the sign kept: `a // 2 ** b`. (...), (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("shift_right_arithmetic", "bitwise_right_shift")

    op: Literal["right_shift"] = "right_shift"


class RightShiftLogical(Shift):
    """a with its bits moved down by b, zeros above them. (...), (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("shift_right_logical",)

    op: Literal["right_shift_logical"] = "right_shift_logical"


class PopulationCount(Op):
    """The number of bits that are 1, of x's dtype. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("bitwise_count",)

    op: Literal["population_count"] = "population_count"
    x: Tensor


class Clz(Op):
    """The number of zeros above the highest bit that is 1, of x's dtype. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("count_leading_zeros",)

    op: Literal["clz"] = "clz"
    x: Tensor


class BitcastConvertType(Op):
    """The bits of x, read as another dtype. (...) -> (...) for dtypes of equal size.

    Each element is several of a smaller dtype, on a new last axis; several along the
    last axis, which vanishes, are one of a greater dtype. It has no gradient.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    ALSO: ClassVar[tuple[str, ...]] = ("bitcast", "view")

    op: Literal["bitcast_convert_type"] = "bitcast_convert_type"
    x: Tensor
    dtype: RealDType


class PackBits(Op):
    """Eight booleans along `axis` as the bits of a byte; zeros fill the last one.

    (..., n) -> (..., ceil(n / 8)) uint8 for axis -1. What is not 0 is true. The first one
    is the highest bit, with `bitorder` `little` the lowest. `jnp.packbits`.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["packbits"] = "packbits"
    x: Tensor
    axis: Int = -1
    bitorder: Literal["big", "little"] = "big"


class UnpackBits(Op):
    """The bits of bytes along `axis`, 0 or 1 each.

    (..., n) uint8 -> (..., 8 * n) uint8 for axis -1. The highest bit is the first one, with
    `bitorder` `little` the lowest. `jnp.unpackbits`.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["unpackbits"] = "unpackbits"
    x: Tensor
    axis: Int = -1
    bitorder: Literal["big", "little"] = "big"


class MulHi(Bitwise):
    """The upper half of the bits of the product of two integers. (...), (...) -> (...)."""

    op: Literal["mulhi"] = "mulhi"
