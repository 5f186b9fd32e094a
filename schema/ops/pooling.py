"""Pooling over the spatial axes, those before the last. Global pools are reductions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from ..deferred import Op
from ..fields import Count, Float, Size, Tensor
from ..problems import Problem


class Pool(Op):
    """The base of pools with a moving window.

    x (..., spatial..., features) -> as x with other spatial sizes; there are as many
    spatial axes as `window` has sizes. `strides` null is the window's sizes. `padding`:
    `VALID` none, `SAME` as in `conv`, or a list of [before, after]. Elements of a window
    stand `dilation` apart. With `ceil_mode` a last window that reaches beyond the end
    counts too, if it starts before it.
    """

    x: Tensor
    window: list[Size]
    strides: Size | list[Size] | None = None
    padding: Literal["SAME", "SAME_LOWER", "VALID"] | list[list[Count]] = "VALID"
    dilation: Size | list[Size] = 1
    ceil_mode: bool = False

    def problems(self) -> Iterator[Problem]:
        rank = len(self.window)
        if rank == 0:
            yield Problem("window", "expected a size for each spatial axis, found none")
        for name in ("strides", "padding", "dilation"):
            value = getattr(self, name)
            if isinstance(value, list) and len(value) != rank:
                yield Problem.expected(name, f"{rank}, one a spatial axis", value)
        if isinstance(self.padding, list):
            for size, pair in zip(self.window, self.padding, strict=False):
                if len(pair) != 2:
                    yield Problem.expected("padding", "pairs [before, after]", pair)
                elif isinstance(size, int) and any(
                    isinstance(n, int) and n >= size for n in pair
                ):
                    yield Problem.expected("padding", "less than the window", pair)


class MaxPool(Pool):
    """The greatest value of each window; what is padded doesn't count.

    (..., spatial..., features) -> (..., spatial..., features).
    """

    ALSO: ClassVar[tuple[str, ...]] = ("max_pooling", "pool", "reduce_window")

    op: Literal["max_pool"] = "max_pool"


class MinPool(Pool):
    """The least value of each window; what is padded doesn't count.

    (..., spatial..., features) -> (..., spatial..., features).
    """

    ALSO: ClassVar[tuple[str, ...]] = ("pool",)

    op: Literal["min_pool"] = "min_pool"


class AvgPool(Pool):
    """The mean of each window.

    With `count_include_pad` the zeros of the padding count, those beyond it that
    `ceil_mode` reaches don't; without, only elements of x count. (..., spatial...,
    features) -> (..., spatial..., features).
    """

    ALSO: ClassVar[tuple[str, ...]] = ("average_pooling", "mean_pool", "pool")

    op: Literal["avg_pool"] = "avg_pool"
    count_include_pad: bool = True


class LpPool(Pool):
    """The norm of each window: the root of the sum of |x| ** `power`, of that degree.

    Padding adds nothing to it, nor does what `ceil_mode` reaches beyond the end; a window
    of zeros has the gradient 0. (..., spatial..., features) -> (..., spatial...,
    features).
    """

    ALSO: ClassVar[tuple[str, ...]] = ("pool",)

    op: Literal["lp_pool"] = "lp_pool"
    power: Float = 2.0

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if isinstance(self.power, (int, float)) and self.power < 1:
            yield Problem.expected("power", "a number of at least 1", self.power)


class Adaptive(Op):
    """The base of pools to a given size.

    x (..., spatial..., features) -> (..., sizes..., features): element i of n along an
    axis of m elements is made of those from floor(i * m / n) to ceil((i + 1) * m / n).
    """

    x: Tensor
    sizes: list[Size]

    def problems(self) -> Iterator[Problem]:
        if not self.sizes:
            yield Problem("sizes", "expected a size for each spatial axis, found none")
        if sum(size for size in self.sizes if isinstance(size, int)) > 256:
            # The function is written out, part by part.
            yield Problem.expected("sizes", "at most 256 in all", list(self.sizes))

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        return self.problems()  # of sizes that a dim decides


class AdaptiveAvgPool(Adaptive):
    """The mean of n parts of each spatial axis, as in PyTorch.

    (..., spatial..., features) -> (..., sizes..., features).
    """

    ALSO: ClassVar[tuple[str, ...]] = (
        "global_average_pooling",
        "global_avg_pool",
        "adaptive_pool",
    )

    op: Literal["adaptive_avg_pool"] = "adaptive_avg_pool"


class AdaptiveMaxPool(Adaptive):
    """The greatest value of n parts of each spatial axis, as in PyTorch.

    (..., spatial..., features) -> (..., sizes..., features).
    """

    ALSO: ClassVar[tuple[str, ...]] = (
        "global_max_pooling",
        "global_max_pool",
        "adaptive_pool",
    )

    op: Literal["adaptive_max_pool"] = "adaptive_max_pool"
