"""Where numbers lie among sorted ones, and how often, over any leading dims."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from ..deferred import Op
from ..fields import Float, OptionalTensor, Size, SizeOf, Tensor
from ..problems import Problem, too_many


class SearchSorted(Op):
    """How many of the ascending numbers `edges` are below each of x.

    edges (..., n), x (..., m) -> (..., m) integer. With `side` `right`, those that equal
    it count too. `jnp.digitize(x, bins)` is this with sides in exchange.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    ALSO: ClassVar[tuple[str, ...]] = ("digitize", "bucketize")

    op: Literal["searchsorted"] = "searchsorted"
    edges: Tensor
    x: Tensor
    side: Literal["left", "right"] = "left"


class Interp(Op):
    """The line through the points (xp, fp), xp ascending, at x.

    x (..., m), xp (..., n), fp (..., n) -> (..., m). Beyond the points it is constant, or
    goes on in the direction of the last two with `extrapolate`.
    """

    op: Literal["interp"] = "interp"
    x: Tensor
    xp: Tensor
    fp: Tensor
    extrapolate: bool = False


class BinCount(Op):
    """How often each of 0, ..., `length` - 1 is in x; with weights, the sum of those.

    x (..., n) integer, weights (..., n) -> (..., length). Greater numbers are left out,
    those below 0 count as 0, as in `jnp.bincount`.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["bincount"] = "bincount"
    x: Tensor
    length: Annotated[Size, SizeOf("out")]
    weights: OptionalTensor = None

    def problems(self) -> Iterator[Problem]:
        yield from too_many("length", [self.length])


class Histogram(Op):
    """How many of x lie in each of `bins` equal parts of `low` to `high`.

    x (..., n), weights (..., n) -> (..., bins), in floats: with weights, the sum of those.
    Counted in float32, which has integers up to 2 ** 24. A bin has
    its lower end, the last one both; numbers beyond are left out. With `density` the
    integral is 1. The ends are `linspace(low, high, bins + 1)`.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["histogram"] = "histogram"
    x: Tensor
    bins: Annotated[Size, SizeOf("out")]
    low: Float
    high: Float
    weights: OptionalTensor = None
    density: bool = False

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.bins, int) and self.bins > 2**24:
            yield Problem.expected("bins", "at most 2**24", self.bins)
        low, high = self.low, self.high
        if not isinstance(low, str) and not isinstance(high, str) and low >= high:
            yield Problem.expected("high", f"a number above low, {low}", high)


class Histogram2d(Op):
    """How many of the points (x, y) lie in each of `bins` equal parts of the rectangle from
    `low` to `high`, both having a number for x and one for y.

    x (..., n), y (..., n), weights (..., n) -> (..., bins...), in floats: with weights, the
    sum of those. As `histogram` otherwise. `jnp.histogram2d`.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["histogram2d"] = "histogram2d"
    x: Tensor
    y: Tensor
    bins: list[Size]
    low: list[Float]
    high: list[Float]
    weights: OptionalTensor = None
    density: bool = False

    def problems(self) -> Iterator[Problem]:
        for name in ("bins", "low", "high"):
            if len(found := getattr(self, name)) != 2:
                yield Problem.expected(name, "one for x and one for y", found)
                return
        sizes = [n for n in self.bins if isinstance(n, int)]
        if any(n > 2**12 for n in sizes):
            yield Problem.expected("bins", "at most 4096 each", self.bins)
        for low, high in zip(self.low, self.high, strict=True):
            if not isinstance(low, str) and not isinstance(high, str) and low >= high:
                yield Problem.expected("high", f"a number above low, {low}", high)
