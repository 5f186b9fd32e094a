"""Activations, as in `jax.nn`. Elementwise, (...) -> (...), unless said otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from ..deferred import Op
from ..dtypes import RealDType
from ..fields import Float, Int, Size, SizeOf, Tensor
from ..problems import Problem


class Activation(Op):
    """The base of ops that take x alone."""

    x: Tensor


class Identity(Activation):
    """x as it is. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("copy", "positive", "linear_activation")
    COMPLEX: ClassVar[bool] = True

    op: Literal["identity"] = "identity"


class Relu(Activation):
    """`max(x, 0)`. (...) -> (...). The gradient at 0 is 0."""

    op: Literal["relu"] = "relu"


class Relu6(Activation):
    """`min(max(x, 0), 6)`. (...) -> (...). Howard et al., arXiv:1704.04861."""

    op: Literal["relu6"] = "relu6"


class LeakyRelu(Activation):
    """`x` where x >= 0, else `negative_slope * x`. (...) -> (...)."""

    op: Literal["leaky_relu"] = "leaky_relu"
    negative_slope: Float = 0.01


class Elu(Activation):
    """`x` where x > 0, else `alpha * (exp(x) - 1)`. (...) -> (...). Clevert et al.,
    arXiv:1511.07289.
    """

    op: Literal["elu"] = "elu"
    alpha: Float = 1.0


class Celu(Activation):
    """`x` where x > 0, else `alpha * (exp(x / alpha) - 1)`. (...) -> (...). Barron,
    arXiv:1704.07483.
    """

    op: Literal["celu"] = "celu"
    alpha: Float = 1.0

    def problems(self) -> Iterator[Problem]:
        if self.alpha == 0:
            yield Problem("alpha", "expected a number other than 0, found 0")


class Selu(Activation):
    """`1.0507... * elu(x, alpha=1.6732...)`. (...) -> (...). Klambauer et al.,
    arXiv:1706.02515.
    """

    op: Literal["selu"] = "selu"


class Gelu(Activation):
    """`x * Phi(x)` with the normal distribution function Phi. (...) -> (...).

    With `approximate`, `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x ** 3)))`,
    which is JAX's default; PyTorch's is the exact form. Hendrycks and Gimpel,
    arXiv:1606.08415.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("gelu_new", "gelu_tanh")

    op: Literal["gelu"] = "gelu"
    approximate: bool = True


class Silu(Activation):
    """`x * sigmoid(x)`, also called swish. (...) -> (...). arXiv:1702.03118."""

    ALSO: ClassVar[tuple[str, ...]] = ("swish",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["silu"] = "silu"


class Mish(Activation):
    """`x * tanh(softplus(x))`. (...) -> (...). Misra, arXiv:1908.08681."""

    op: Literal["mish"] = "mish"


class Softplus(Activation):
    """`log(1 + exp(x))`. (...) -> (...)."""

    op: Literal["softplus"] = "softplus"


class SoftSign(Activation):
    """`x / (1 + |x|)`. (...) -> (...)."""

    op: Literal["soft_sign"] = "soft_sign"


class Sigmoid(Activation):
    """`1 / (1 + exp(-x))`. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("logistic", "expit")
    COMPLEX: ClassVar[bool] = True

    op: Literal["sigmoid"] = "sigmoid"


class LogSigmoid(Activation):
    """`-log(1 + exp(-x))`. (...) -> (...)."""

    op: Literal["log_sigmoid"] = "log_sigmoid"


class HardSigmoid(Activation):
    """`relu6(x + 3) / 6`. (...) -> (...)."""

    op: Literal["hard_sigmoid"] = "hard_sigmoid"


class HardSilu(Activation):
    """`x * relu6(x + 3) / 6`, also called hard swish. (...) -> (...). Howard et al.,
    arXiv:1905.02244.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("hard_swish",)

    op: Literal["hard_silu"] = "hard_silu"


class HardTanh(Activation):
    """`min(max(x, -1), 1)`. (...) -> (...)."""

    op: Literal["hard_tanh"] = "hard_tanh"


class Tanh(Activation):
    """`tanh(x)`. (...) -> (...)."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["tanh"] = "tanh"


class Squareplus(Activation):
    """`(x + sqrt(x ** 2 + b)) / 2`. (...) -> (...). Barron, arXiv:2112.11687."""

    op: Literal["squareplus"] = "squareplus"
    b: Float = 4.0


class SparsePlus(Activation):
    """0 where x <= -1, `(x + 1) ** 2 / 4` between, x where x >= 1. (...) -> (...). Stephan
    et al., arXiv:2406.15527.
    """

    op: Literal["sparse_plus"] = "sparse_plus"


class SparseSigmoid(Activation):
    """`min(max((x + 1) / 2, 0), 1)`, the slope of `sparse_plus`. (...) -> (...)."""

    op: Literal["sparse_sigmoid"] = "sparse_sigmoid"


class Log1mExp(Activation):
    """`log(1 - exp(-x))` for x > 0, exact near 0 and far from it. (...) -> (...).

    Machler, "Accurately computing log(1 - exp(-|a|))", 2012.
    """

    op: Literal["log1mexp"] = "log1mexp"


class Glu(Activation):
    """`a * sigmoid(b)`, a and b being the halves of x along `axis`.

    (..., 2 * features) -> (..., features) at axis -1. Dauphin et al., arXiv:1612.08083.
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["glu"] = "glu"
    axis: Int = -1


class Softmax(Activation):
    """`exp(x) / sum(exp(x))` along `axis`, in float32. (...) -> (...)."""

    op: Literal["softmax"] = "softmax"
    axis: Int | list[Int] = -1


class LogSoftmax(Activation):
    """`x - log(sum(exp(x)))` along `axis`, in float32. (...) -> (...)."""

    op: Literal["log_softmax"] = "log_softmax"
    axis: Int | list[Int] = -1


class LogSumExp(Activation):
    """`log(sum(exp(x)))` over `axis` (all axes if null), in float32.

    (..., n) -> (...), or (..., 1) with `keepdims`, at axis -1.
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["logsumexp"] = "logsumexp"
    axis: Int | list[Int] | None = None
    keepdims: bool = False


class LogMeanExp(Activation):
    """`log(mean(exp(x)))` over `axis` (all axes if null), in float32.

    (..., n) -> (...), or (..., 1) with `keepdims`, at axis -1.
    """

    op: Literal["logmeanexp"] = "logmeanexp"
    axis: Int | list[Int] | None = None
    keepdims: bool = False


class Standardize(Activation):
    """`(x - mean) / sqrt(var + eps)` along `axis`, in float32. (...) -> (...)."""

    op: Literal["standardize"] = "standardize"
    axis: Int | list[Int] = -1
    eps: Float = 1e-5


class OneHot(Activation):
    """1 at the index x along a new `axis`, 0 elsewhere; all 0 for x out of range.

    (...) integer -> (..., num_classes) at axis -1.
    """

    op: Literal["one_hot"] = "one_hot"
    num_classes: Annotated[Size, SizeOf("out", axis="axis")]
    axis: Int = -1
    dtype: RealDType = "float"

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.num_classes, int) and self.num_classes > 2**31:
            yield Problem.expected("num_classes", "at most 2**31", self.num_classes)
