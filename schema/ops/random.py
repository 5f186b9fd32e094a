"""Randomness: keys are values, and every key of a model comes from JAX's fold_in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from ..deferred import Op, ParamOp
from ..dtypes import DType, RealDType
from ..fields import Count, Float, Int, Key, OptionalKey, ShapeOf, Tensor
from ..initializers import ZEROS, KeyData
from ..parameters import Leaf
from ..problems import Problem, too_many
from .indexing import axes_of


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

    COMPLEX: ClassVar[bool] = True

    op: Literal["dropout"] = "dropout"
    x: Tensor
    key: OptionalKey = None
    rate: Float
    broadcast_dims: list[Int] = []

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.rate, (int, float)) and not 0 <= self.rate < 1:
            yield Problem.expected("rate", "at least 0 and below 1", self.rate)


class StochasticDepth(Op):
    """Drops x as a whole with probability `rate`, else scales it by 1 / (1 - rate).

    x (...), a scalar rate below 1 -> (...). There is one decision for each index of the
    axes `axis`: [0] for each example of a batch, none for all of x. Without a key it is the
    identity. In a residual branch: `x + stochastic_depth(f(x))`. Huang et al.,
    arXiv:1603.09382.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("drop_path",)

    op: Literal["stochastic_depth"] = "stochastic_depth"
    x: Tensor
    rate: Tensor
    key: OptionalKey = None
    axis: list[Int] = [0]

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.rate, (int, float)) and not 0 <= self.rate < 1:
            yield Problem.expected("rate", "at least 0 and below 1", self.rate)

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        yield from axes_of(len(shapes["x"]), self.axis)


class Categorical(Op):
    """An index along `axis` with probability `softmax(logits)` each: one for each row.

    logits (..., n) -> (...) int32 for axis -1. -inf is never drawn. Drawn in float32 at
    least. `jax.random.categorical`.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("multinomial",)
    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["categorical"] = "categorical"
    key: Key
    logits: Tensor
    axis: Int = -1


class Permutation(Op):
    """x in a random order along `axis`, all rows the same, or each its own.

    (...) -> (...). `independent`: another order for each index of the other axes.
    `jax.random.permutation`.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("shuffle",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["permutation"] = "permutation"
    key: Key
    x: Tensor
    axis: Int = 0
    independent: bool = False


class Drawn(Op):
    """The base of arrays of random numbers."""

    key: Key
    shape: Annotated[list[Count], ShapeOf()]

    def problems(self) -> Iterator[Problem]:
        yield from too_many("shape", self.shape)


class RandomNormal(Drawn):
    """Numbers of the normal distribution of mean 0 and variance 1: key -> shape."""

    ALSO: ClassVar[tuple[str, ...]] = ("randn", "normal")
    COMPLEX: ClassVar[bool] = True

    op: Literal["random_normal"] = "random_normal"
    dtype: DType


class RandomUniform(Drawn):
    """Numbers of the uniform distribution on [minval, maxval): key -> shape."""

    ALSO: ClassVar[tuple[str, ...]] = ("rand", "uniform")

    op: Literal["random_uniform"] = "random_uniform"
    dtype: RealDType
    minval: Float = 0.0
    maxval: Float = 1.0


class TruncatedNormal(Drawn):
    """Numbers of the normal distribution that lie between `lower` and `upper`.

    key -> shape. Their variance is below 1. `jax.random.truncated_normal`.
    """

    op: Literal["truncated_normal"] = "truncated_normal"
    dtype: RealDType
    lower: Float
    upper: Float

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        yield from _below(self.lower, "upper", self.upper)


class RandInt(Drawn):
    """Integers from `minval` up to but without `maxval`: key -> shape."""

    ALSO: ClassVar[tuple[str, ...]] = ("random_integers",)

    op: Literal["randint"] = "randint"
    minval: Int
    maxval: Int
    dtype: RealDType = "int32"

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        yield from _below(self.minval, "maxval", self.maxval)


class Gumbel(Drawn):
    """Numbers of the Gumbel distribution, `-log(-log(u))` of uniform ones: key -> shape.

    `argmax(logits + gumbel)` is `categorical`, and its softmax is arXiv:1611.01144.
    """

    op: Literal["gumbel"] = "gumbel"
    dtype: RealDType


def _below(low: object, field: str, high: object) -> Iterator[Problem]:
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low >= high:
        yield Problem.expected(field, f"a number above {low}", high)


class Bernoulli(Drawn):
    """True with probability `p`: key -> shape, bool."""

    op: Literal["bernoulli"] = "bernoulli"
    p: Float = 0.5

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if isinstance(self.p, (int, float)) and not 0 <= self.p <= 1:
            yield Problem.expected("p", "a number from 0 to 1", self.p)
