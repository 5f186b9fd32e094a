"""Reductions over `axis` (an axis, a list of axes, or null for all), and running sums.

(..., n) -> (...) at axis -1, or (..., 1) with `keepdims`.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

from ..deferred import Op
from ..fields import Count, Int, Scalar, Tensor
from ..problems import Problem


class Reduction(Op):
    """The base of reductions."""

    x: Tensor
    axis: Int | list[Int] | None = None
    keepdims: bool = False

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.axis, list) and len(set(self.axis)) != len(self.axis):
            yield Problem.expected("axis", "each axis once", self.axis)


class Sum(Reduction):
    """The sum over `axis`. (..., n) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("reduce_sum",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["sum"] = "sum"


class Mean(Reduction):
    """The mean over `axis`. (..., n) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("reduce_mean",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["mean"] = "mean"


class Prod(Reduction):
    """The product over `axis`. (..., n) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("reduce_prod",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["prod"] = "prod"


class Max(Reduction):
    """The greatest value over `axis`. (..., n) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("reduce_max", "amax")

    op: Literal["max"] = "max"


class Min(Reduction):
    """The least value over `axis`. (..., n) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("reduce_min", "amin")

    op: Literal["min"] = "min"


class Any(Reduction):
    """True where any value over `axis` is not 0. (..., n) -> (...) bool."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    ALSO: ClassVar[tuple[str, ...]] = ("reduce_or",)

    op: Literal["any"] = "any"


class All(Reduction):
    """True where no value over `axis` is 0. (..., n) -> (...) bool."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    ALSO: ClassVar[tuple[str, ...]] = ("reduce_and",)

    op: Literal["all"] = "all"


class Var(Reduction):
    """`sum((x - mean) ** 2) / (n - ddof)` over `axis`. (..., n) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("variance",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["var"] = "var"
    ddof: Count = 0


class Std(Reduction):
    """`sqrt(var(x))` over `axis`. (..., n) -> (...)."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["std"] = "std"
    ddof: Count = 0


class Norm(Reduction):
    """The vector norm `sum(|x| ** ord) ** (1 / ord)` over `axis`. (..., n) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("vector_norm",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["norm"] = "norm"
    ord: Scalar = 2

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if isinstance(self.ord, (int, float)) and self.ord <= 0:
            yield Problem.expected("ord", "a number above 0", self.ord)


class ArgMax(Op):
    """The index of the first greatest value along `axis` (of the flat x if null).

    (..., n) -> (...) integer.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["argmax"] = "argmax"
    x: Tensor
    axis: Int | None = None
    keepdims: bool = False


class ArgMin(Op):
    """The index of the first least value along `axis` (of the flat x if null).

    (..., n) -> (...) integer.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["argmin"] = "argmin"
    x: Tensor
    axis: Int | None = None
    keepdims: bool = False


class CumSum(Op):
    """The running sum along `axis`. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("cumulative_sum",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["cumsum"] = "cumsum"
    x: Tensor
    axis: Int


class CumProd(Op):
    """The running product along `axis`. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("cumulative_prod",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["cumprod"] = "cumprod"
    x: Tensor
    axis: Int


class Cumulative(Op):
    """The base of running values of which JAX takes axes from 0 up."""

    x: Tensor
    axis: Int

    def operand_problems(
        self, shapes: Mapping[str, Sequence[typing.Any]]
    ) -> Iterator[Problem]:
        rank = len(shapes["x"])
        if isinstance(self.axis, int) and not -rank <= self.axis < rank:
            yield Problem.expected("axis", f"one of {rank} axes", self.axis)


class CumMax(Cumulative):
    """The greatest value so far along `axis`. (...) -> (...)."""

    op: Literal["cummax"] = "cummax"


class CumMin(Cumulative):
    """The least value so far along `axis`. (...) -> (...)."""

    op: Literal["cummin"] = "cummin"


class CumLogSumExp(Cumulative):
    """`log(cumsum(exp(x)))` along `axis`, in float32. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("logcumsumexp",)

    op: Literal["cumlogsumexp"] = "cumlogsumexp"
