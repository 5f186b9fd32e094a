"""Statistics over `axis` (an axis, a list of axes, or null for all): of counts, of order,
and of what is not NaN.

(..., n) -> (...) at axis -1, or (..., 1) with `keepdims`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from ..deferred import Op
from ..fields import Count, Float, Int, Tensor
from ..problems import Problem


class Statistic(Op):
    """The base of statistics."""

    x: Tensor
    axis: Int | list[Int] | None = None
    keepdims: bool = False

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.axis, list) and len(set(self.axis)) != len(self.axis):
            yield Problem.expected("axis", "each axis once", self.axis)


class CountNonzero(Statistic):
    """How many values over `axis` are not 0. (..., n) -> (...) integer."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    COMPLEX: ClassVar[bool] = True

    op: Literal["count_nonzero"] = "count_nonzero"


class Ptp(Statistic):
    """The greatest less the least value over `axis`. (..., n) -> (...)."""

    op: Literal["ptp"] = "ptp"


class Average(Op):
    """`sum(weights * x) / sum(weights)` over `axis`.

    (..., n), (..., n) -> (...) at axis -1; weights broadcast to x.
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["average"] = "average"
    x: Tensor
    weights: Tensor
    axis: Int | list[Int] | None = None
    keepdims: bool = False


class Median(Statistic):
    """The middle value over `axis`, or the mean of the two in the middle.

    (..., n) -> (...). NaN where any value is.
    """

    op: Literal["median"] = "median"


class Quantile(Statistic):
    """The value that a part `q` of those over `axis` is not above.

    (..., n) -> (...). Between the sorted values i and i + 1 next to `q * (n - 1)` it is
    interpolated as `method` says, as in `jnp.quantile`. NaN where any value is.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("percentile",)

    op: Literal["quantile"] = "quantile"
    q: Float
    method: Literal["linear", "lower", "higher", "midpoint", "nearest"] = "linear"

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if isinstance(self.q, (int, float)) and not 0 <= self.q <= 1:
            yield Problem.expected("q", "a number from 0 to 1", self.q)


class NanSum(Statistic):
    """The sum of what is not NaN over `axis`. (..., n) -> (...)."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["nansum"] = "nansum"


class NanProd(Statistic):
    """The product of what is not NaN over `axis`. (..., n) -> (...)."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["nanprod"] = "nanprod"


class NanMean(Statistic):
    """The mean of what is not NaN over `axis`; NaN where nothing is left.

    (..., n) -> (...).
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["nanmean"] = "nanmean"


class NanMax(Statistic):
    """The greatest value that is not NaN over `axis`. (..., n) -> (...)."""

    op: Literal["nanmax"] = "nanmax"


class NanMin(Statistic):
    """The least value that is not NaN over `axis`. (..., n) -> (...)."""

    op: Literal["nanmin"] = "nanmin"


class NanVar(Statistic):
    """`var` of what is not NaN over `axis`. (..., n) -> (...)."""

    op: Literal["nanvar"] = "nanvar"
    ddof: Count = 0


class NanStd(Statistic):
    """`sqrt(nanvar(x))` over `axis`. (..., n) -> (...)."""

    op: Literal["nanstd"] = "nanstd"
    ddof: Count = 0


class NanMedian(Statistic):
    """The median of what is not NaN over `axis`. (..., n) -> (...)."""

    op: Literal["nanmedian"] = "nanmedian"


class NanQuantile(Quantile):
    """`quantile` of what is not NaN over `axis`. (..., n) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("nanpercentile",)

    op: Literal["nanquantile"] = "nanquantile"  # type: ignore[assignment]


class NanArgMax(Op):
    """The index of the first greatest value that is not NaN along `axis` (of the flat x if
    null), -1 where all are. (..., n) -> (...) integer.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["nanargmax"] = "nanargmax"
    x: Tensor
    axis: Int | None = None
    keepdims: bool = False


class NanArgMin(Op):
    """The index of the first least value that is not NaN along `axis` (of the flat x if
    null), -1 where all are. (..., n) -> (...) integer.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["nanargmin"] = "nanargmin"
    x: Tensor
    axis: Int | None = None
    keepdims: bool = False


class NanCumSum(Op):
    """The running sum of what is not NaN along `axis`. (...) -> (...)."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["nancumsum"] = "nancumsum"
    x: Tensor
    axis: Int


class NanCumProd(Op):
    """The running product of what is not NaN along `axis`. (...) -> (...)."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["nancumprod"] = "nancumprod"
    x: Tensor
    axis: Int


class Cov(Op):
    """`y @ y.T / (n - ddof)` for `y = x - mean(x)`: how much rows of x vary together.

    (..., m, n) -> (..., m, m) for n samples of m variables.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["cov"] = "cov"
    x: Tensor
    ddof: Count = 1


class CorrCoef(Op):
    """`cov` divided by the standard deviations of both rows, -1 to 1.

    (..., m, n) -> (..., m, m) for n samples of m variables.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["corrcoef"] = "corrcoef"
    x: Tensor
