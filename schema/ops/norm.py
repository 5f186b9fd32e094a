"""Normalisation. Statistics are computed in float32; the input's dtype is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from ..deferred import ParamOp
from ..fields import Elsewhere, Float, OptionalSize, ParamSlot, SizeOf, Tensor
from ..initializers import ONES, ZEROS
from ..parameters import Leaf
from ..problems import Problem


def _positive(eps: Any) -> Iterator[Problem]:
    if isinstance(eps, (int, float)) and eps < 0:
        yield Problem.expected("eps", "a number of at least 0", eps)


class LayerNorm(ParamOp):
    """`(x - mean) / sqrt(var + eps) * scale + bias` over the last axis.

    (..., features) -> (..., features). Ba et al., arXiv:1607.06450.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("layer_normalization",)

    op: Literal["layer_norm"] = "layer_norm"
    x: Tensor
    scale: Annotated[ParamSlot, Elsewhere("weight")] = None
    bias: Annotated[ParamSlot, Elsewhere("bias")] = None
    features: Annotated[OptionalSize, SizeOf("x"), SizeOf("out")] = None
    eps: Float = 1e-5
    use_scale: bool = True
    use_bias: bool = True

    def parameters(self) -> dict[str, Leaf]:
        leaves = {}
        if self.use_scale:
            leaves["scale"] = Leaf((self.features,), ONES)
        if self.use_bias:
            leaves["bias"] = Leaf((self.features,), ZEROS)
        return leaves

    def problems(self) -> Iterator[Problem]:
        yield from _positive(self.eps)


class RMSNorm(ParamOp):
    """`x / sqrt(mean(x ** 2) + eps) * scale` over the last axis.

    (..., features) -> (..., features). Zhang and Sennrich, arXiv:1910.07467.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("rms_normalization",)

    op: Literal["rms_norm"] = "rms_norm"
    x: Tensor
    scale: Annotated[ParamSlot, Elsewhere("weight")] = None
    features: Annotated[OptionalSize, SizeOf("x"), SizeOf("out")] = None
    eps: Float = 1e-6

    def parameters(self) -> dict[str, Leaf]:
        return {"scale": Leaf((self.features,), ONES)}

    def problems(self) -> Iterator[Problem]:
        yield from _positive(self.eps)


class BatchNorm(ParamOp):
    """`(x - mean) / sqrt(var + eps) * scale + bias` per feature of the last axis.

    (..., features) -> (..., features). Mean and variance are those of the batch when
    training, over all axes but the last (and over `axis_name` when the model is built
    with one), else the running ones; `new = momentum * old + (1 - momentum) * batch`.
    `unbiased` stores the running variance with n - 1. Ioffe and Szegedy,
    arXiv:1502.03167.
    """

    TRAIN: ClassVar[bool] = True
    STATEFUL: ClassVar[bool] = True
    ALSO: ClassVar[tuple[str, ...]] = ("batch_normalization",)

    op: Literal["batch_norm"] = "batch_norm"
    x: Tensor
    scale: Annotated[ParamSlot, Elsewhere("weight")] = None
    bias: Annotated[ParamSlot, Elsewhere("bias")] = None
    features: Annotated[OptionalSize, SizeOf("x"), SizeOf("out")] = None
    momentum: Float = 0.9
    eps: Float = 1e-5
    unbiased: bool = False
    use_scale: bool = True
    use_bias: bool = True

    def parameters(self) -> dict[str, Leaf]:
        shape = (self.features,)
        leaves = {}
        if self.use_scale:
            leaves["scale"] = Leaf(shape, ONES)
        if self.use_bias:
            leaves["bias"] = Leaf(shape, ZEROS)
        # Statistics stay float32: in bfloat16 they would stop moving at momentum 0.999.
        leaves["mean"] = Leaf(shape, ZEROS, dtype="float32", kind="state")
        leaves["var"] = Leaf(shape, ONES, dtype="float32", kind="state")
        return leaves

    def problems(self) -> Iterator[Problem]:
        yield from _positive(self.eps)
        if isinstance(self.momentum, (int, float)) and not 0 <= self.momentum <= 1:
            yield Problem.expected("momentum", "a number from 0 to 1", self.momentum)
