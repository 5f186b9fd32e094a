"""Arrays made of attributes alone, or like another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from ..deferred import Op
from ..dtypes import DType, RealDType
from ..fields import (
    Count,
    Fill,
    Float,
    Int,
    OptionalSize,
    ShapeOf,
    Size,
    SizeOf,
    Tensor,
)
from ..literals import fill_problems
from ..problems import Problem, too_many


class Filled(Op):
    """The base of arrays of a `shape`."""

    shape: Annotated[list[Count], ShapeOf()]

    def problems(self) -> Iterator[Problem]:
        yield from too_many("shape", self.shape)


class Zeros(Filled):
    """All zeros: () -> shape."""

    COMPLEX: ClassVar[bool] = True
    ALSO: ClassVar[tuple[str, ...]] = ("empty",)

    op: Literal["zeros"] = "zeros"
    dtype: DType


class Ones(Filled):
    """All ones: () -> shape."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["ones"] = "ones"
    dtype: DType


class Full(Filled):
    """`fill_value` everywhere: () -> shape."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["full"] = "full"
    fill_value: Fill
    dtype: DType

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        yield from fill_problems("fill_value", self.fill_value, self.dtype)


class ZerosLike(Op):
    """Zeros of the shape and dtype of x. (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    COMPLEX: ClassVar[bool] = True
    ALSO: ClassVar[tuple[str, ...]] = ("empty_like",)

    op: Literal["zeros_like"] = "zeros_like"
    x: Tensor


class OnesLike(Op):
    """Ones of the shape and dtype of x. (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    COMPLEX: ClassVar[bool] = True

    op: Literal["ones_like"] = "ones_like"
    x: Tensor


class FullLike(Op):
    """`fill_value` in the shape and dtype of x. (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    COMPLEX: ClassVar[bool] = True

    op: Literal["full_like"] = "full_like"
    x: Tensor
    fill_value: Fill


class Arange(Op):
    """`start, start + step, ...`, as long as it is before `stop`: () -> (n,)."""

    ALSO: ClassVar[tuple[str, ...]] = ("iota", "broadcasted_iota")

    op: Literal["arange"] = "arange"
    stop: Int
    start: Int = 0
    step: Int = 1
    dtype: RealDType = "int32"

    def problems(self) -> Iterator[Problem]:
        match self.start, self.stop, self.step:
            case (_, _, 0):
                yield Problem("step", "expected an integer other than 0, found 0")
            case (int(start), int(stop), int(step)):
                # Not `len(range(...))`, which a count beyond 2**63 raises from.
                yield from too_many("stop", [max(0, -((start - stop) // step))])


class OfDiagonal(Op):
    """The base of matrices made of a diagonal."""

    rows: Annotated[Size, SizeOf("out", axis=0)]
    columns: Annotated[OptionalSize, SizeOf("out", axis=1)] = None
    k: Int = 0
    dtype: DType = "float"

    def problems(self) -> Iterator[Problem]:
        columns = self.rows if self.columns is None else self.columns
        yield from too_many("rows", [self.rows, columns])


class Eye(OfDiagonal):
    """1 on diagonal `k`, 0 beside it: () -> (rows, columns), square without `columns`."""

    ALSO: ClassVar[tuple[str, ...]] = ("identity_matrix",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["eye"] = "eye"


class Tri(OfDiagonal):
    """1 on diagonal `k` and below, 0 above: () -> (rows, columns), square without
    `columns`. `jnp.tri`.
    """

    op: Literal["tri"] = "tri"


class Linspace(Op):
    """`num` numbers at equal distances from `start` to `stop`, without the last one where
    `endpoint` is false: () -> (num,).
    """

    op: Literal["linspace"] = "linspace"
    start: Float
    stop: Float
    num: Annotated[Size, SizeOf("out")]
    endpoint: bool = True
    dtype: RealDType = "float"

    def problems(self) -> Iterator[Problem]:
        yield from too_many("num", [self.num])


class Logspace(Op):
    """`base ** linspace(start, stop, num)`: () -> (num,)."""

    op: Literal["logspace"] = "logspace"
    start: Float
    stop: Float
    num: Annotated[Size, SizeOf("out")]
    base: Float = 10.0
    endpoint: bool = True
    dtype: RealDType = "float"

    def problems(self) -> Iterator[Problem]:
        yield from too_many("num", [self.num])


class Geomspace(Op):
    """`num` numbers from `start` to `stop`, each the one before times the same factor:
    () -> (num,).
    """

    op: Literal["geomspace"] = "geomspace"
    start: Float
    stop: Float
    num: Annotated[Size, SizeOf("out")]
    endpoint: bool = True
    dtype: RealDType = "float"

    def problems(self) -> Iterator[Problem]:
        yield from too_many("num", [self.num])
        known = [n for n in (self.start, self.stop) if not isinstance(n, str)]
        if len(known) == 2 and known[0] * known[1] <= 0:
            yield Problem.expected("stop", "a number of the sign of start", self.stop)
