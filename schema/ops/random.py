"""Randomness: keys are values, and every key of a model comes from JAX's fold_in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from ..deferred import Op, ParamOp
from ..dtypes import DType
from ..fields import Count, Float, Int, Key, OptionalKey, ShapeOf, Tensor
from ..initializers import ZEROS, KeyData
from ..parameters import Leaf
from ..problems import Problem, too_many


class Rng(ParamOp):
    """A key per call, `fold_in(key, count)`; absent when not training.

    Owns key data (uint32, of the implementation threefry2x32) and a counter, which are
    state. Seed it with `jax.random.key_data(jax.random.key(seed))`.
    """

    OUTPUT_KIND: ClassVar[str] = "key"
    TRAIN: ClassVar[bool] = True
    STATEFUL: ClassVar[bool] = True

    op: Literal["rng"] = "rng"

    def parameters(self) -> dict[str, Leaf]:
        return {
            "key_data": Leaf((2,), KeyData(), dtype="uint32", kind="state"),
            "count": Leaf((), ZEROS, dtype="uint32", kind="state"),
        }


class Dropout(Op):
    """Zeroes elements with probability `rate` and scales the rest by 1 / (1 - rate).

    (...) -> (...). Without a key it is the identity. One decision is shared along each
    of `broadcast_dims`. Srivastava et al., JMLR 15, 2014.
    """

    op: Literal["dropout"] = "dropout"
    x: Tensor
    key: OptionalKey = None
    rate: Float
    broadcast_dims: list[Int] = []

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.rate, (int, float)) and not 0 <= self.rate < 1:
            yield Problem.expected("rate", "at least 0 and below 1", self.rate)


class Drawn(Op):
    """The base of arrays of random numbers."""

    key: Key
    shape: Annotated[list[Count], ShapeOf()]

    def problems(self) -> Iterator[Problem]:
        yield from too_many("shape", self.shape)


class RandomNormal(Drawn):
    """Numbers of the normal distribution of mean 0 and variance 1: key -> shape."""

    ALSO: ClassVar[tuple[str, ...]] = ("randn", "normal")

    op: Literal["random_normal"] = "random_normal"
    dtype: DType


class RandomUniform(Drawn):
    """Numbers of the uniform distribution on [minval, maxval): key -> shape."""

    ALSO: ClassVar[tuple[str, ...]] = ("rand", "uniform")

    op: Literal["random_uniform"] = "random_uniform"
    dtype: DType
    minval: Float = 0.0
    maxval: Float = 1.0


class Bernoulli(Drawn):
    """True with probability `p`: key -> shape, bool."""

    op: Literal["bernoulli"] = "bernoulli"
    p: Float = 0.5

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if isinstance(self.p, (int, float)) and not 0 <= self.p <= 1:
            yield Problem.expected("p", "a number from 0 to 1", self.p)
