"""Random numbers of other distributions; the usual ones are in `random`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from ..deferred import Op
from ..dtypes import DType
from ..fields import Count, Key, ShapeOf, Tensor
from ..problems import Problem, too_many


class Shaped(Op):
    """The base of arrays of a `shape`."""

    key: Key
    shape: Annotated[list[Count], ShapeOf()]
    dtype: DType

    def problems(self) -> Iterator[Problem]:
        yield from too_many("shape", self.shape)


class Exponential(Shaped):
    """Numbers of the exponential distribution of mean 1: key -> shape."""

    op: Literal["exponential"] = "exponential"


class Laplace(Shaped):
    """Numbers of the Laplace distribution, of density `exp(-|x|) / 2`: key -> shape."""

    op: Literal["laplace"] = "laplace"


class RandomGamma(Op):
    """Numbers of the gamma distribution, of density `x ** (a - 1) * exp(-x) / gamma(a)`.

    a (...) above 0 -> (...). Drawn in float32 at least, with a gradient of a by implicit
    differentiation. `jax.random.gamma`; Marsaglia and Tsang, 2000.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["random_gamma"] = "random_gamma"
    key: Key
    a: Tensor


class Poisson(Op):
    """Integers k with probability `rate ** k * exp(-rate) / k!`.

    rate (...) of at least 0 -> (...) int32. `jax.random.poisson`.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["poisson"] = "poisson"
    key: Key
    rate: Tensor
