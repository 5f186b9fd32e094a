"""Arrays made of attributes alone, or like another one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

from ..fields import Count, Int, Scalar, Tensor
from ..op import Op
from ..parameters import DType

MAX_ELEMENTS = 2**31


class Filled(Op):
    """The base of arrays of a `shape`."""

    shape: list[Count]

    def problems(self) -> Iterator[str]:
        count = math.prod(size for size in self.shape if isinstance(size, int))
        if count > MAX_ELEMENTS:
            yield f"shape: expected at most 2**31 elements, found {count}"


class Zeros(Filled):
    """All zeros: () -> shape."""

    op: Literal["zeros"] = "zeros"
    dtype: DType


class Ones(Filled):
    """All ones: () -> shape."""

    op: Literal["ones"] = "ones"
    dtype: DType


class Full(Filled):
    """`fill_value` everywhere: () -> shape."""

    op: Literal["full"] = "full"
    fill_value: Scalar
    dtype: DType


class ZerosLike(Op):
    """Zeros of the shape and dtype of x. (...) -> (...)."""

    op: Literal["zeros_like"] = "zeros_like"
    x: Tensor


class OnesLike(Op):
    """Ones of the shape and dtype of x. (...) -> (...)."""

    op: Literal["ones_like"] = "ones_like"
    x: Tensor


class FullLike(Op):
    """`fill_value` in the shape and dtype of x. (...) -> (...)."""

    op: Literal["full_like"] = "full_like"
    x: Tensor
    fill_value: Scalar


class Arange(Op):
    """`start, start + step, ...`, as long as it is before `stop`: () -> (n,)."""

    op: Literal["arange"] = "arange"
    stop: Int
    start: Int = 0
    step: Int = 1
    dtype: DType = "int32"

    def problems(self) -> Iterator[str]:
        match self.start, self.stop, self.step:
            case (_, _, 0):
                yield "step: expected an integer other than 0, found 0"
            case (int(start), int(stop), int(step)):
                count = len(range(start, stop, step))
                if count > MAX_ELEMENTS:
                    yield f"stop: expected at most 2**31 elements, found {count}"
