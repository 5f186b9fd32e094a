"""Normalisation. Statistics are computed in float32; the input's dtype is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from ..deferred import Op, ParamOp
from ..fields import (
    Count,
    Elsewhere,
    Float,
    Int,
    OptionalSize,
    ParamSlot,
    Size,
    SizeOf,
    Tensor,
)
from ..initializers import ONES, ZEROS, Normal
from ..parameters import Leaf
from ..problems import Problem


def _positive(eps: Any) -> Iterator[Problem]:
    if isinstance(eps, (int, float)) and eps < 0:
        yield Problem.expected("eps", "a number of at least 0", eps)


def _sizes(features: Any) -> tuple[Any, ...]:
    return tuple(features) if isinstance(features, list) else (features,)


def _misfit(features: Any, shape: Sequence[Any]) -> Iterator[Problem]:
    """A problem where several sizes are not those of the last axes."""
    if not isinstance(features, (list, tuple)):
        return
    wanted, found = list(features), list(shape[-len(features) :])
    pairs = zip(wanted, found, strict=False)
    apart = any(isinstance(n, int) and isinstance(m, int) and n != m for n, m in pairs)
    if len(found) < len(wanted) or apart:
        yield Problem.expected("features", f"sizes of the last axes, {found}", wanted)


class LayerNorm(ParamOp):
    """`(x - mean) / sqrt(var + eps) * scale + bias` over the last axis.

    (..., features) -> (..., features). `features` may be a list of sizes, those of the
    last axes, over which mean and variance are taken together then; scale and bias have
    all of them. Ba et al., arXiv:1607.06450.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("layer_normalization",)

    op: Literal["layer_norm"] = "layer_norm"
    x: Tensor
    scale: Annotated[ParamSlot, Elsewhere("weight")] = None
    bias: Annotated[ParamSlot, Elsewhere("bias")] = None
    features: Annotated[Size | list[Size] | None, SizeOf("x"), SizeOf("out")] = None
    eps: Float = 1e-5
    use_scale: bool = True
    use_bias: bool = True

    def parameters(self) -> dict[str, Leaf]:
        leaves = {}
        if self.use_scale:
            leaves["scale"] = Leaf(_sizes(self.features), ONES)
        if self.use_bias:
            leaves["bias"] = Leaf(_sizes(self.features), ZEROS)
        return leaves

    def problems(self) -> Iterator[Problem]:
        yield from _positive(self.eps)
        if self.features == []:
            yield Problem("features", "expected at least one size, found none")

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        yield from _misfit(self.features, shapes["x"])


class RMSNorm(ParamOp):
    """`x / sqrt(mean(x ** 2) + eps) * scale` over the last axis.

    (..., features) -> (..., features). `features` may be a list of sizes, those of the
    last axes, over which the mean is taken together then; scale has all of them. Zhang
    and Sennrich, arXiv:1910.07467.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("rms_normalization",)

    op: Literal["rms_norm"] = "rms_norm"
    x: Tensor
    scale: Annotated[ParamSlot, Elsewhere("weight")] = None
    features: Annotated[Size | list[Size] | None, SizeOf("x"), SizeOf("out")] = None
    eps: Float = 1e-6

    def parameters(self) -> dict[str, Leaf]:
        return {"scale": Leaf(_sizes(self.features), ONES)}

    def problems(self) -> Iterator[Problem]:
        yield from _positive(self.eps)
        if self.features == []:
            yield Problem("features", "expected at least one size, found none")

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        yield from _misfit(self.features, shapes["x"])


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


class SpatialNorm(ParamOp):
    """The base of norms over the spatial axes, those before the last."""

    x: Tensor
    scale: Annotated[ParamSlot, Elsewhere("weight")] = None
    bias: Annotated[ParamSlot, Elsewhere("bias")] = None
    features: Annotated[OptionalSize, SizeOf("x"), SizeOf("out")] = None
    spatial_axes: Count
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
        if isinstance(self.spatial_axes, int) and self.spatial_axes > 16:
            yield Problem.expected("spatial_axes", "at most 16", self.spatial_axes)


class GroupNorm(SpatialNorm):
    """`(x - mean) / sqrt(var + eps) * scale + bias`, by groups of neighbouring features.

    (..., spatial..., features) -> (..., spatial..., features). Mean and variance are
    those of a group of features / `groups` features over `spatial_axes` axes before
    them, of each item by itself; scale and bias are per feature. Wu and He,
    arXiv:1803.08494.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("group_normalization",)

    op: Literal["group_norm"] = "group_norm"
    groups: Size

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        sizes = (self.features, self.groups)
        if all(isinstance(n, int) for n in sizes) and self.features % self.groups:
            wanted = f"a divisor of the {self.features} features"
            yield Problem.expected("groups", wanted, self.groups)


class InstanceNorm(SpatialNorm):
    """`(x - mean) / sqrt(var + eps) * scale + bias`, each feature by itself.

    (..., spatial..., features) -> (..., spatial..., features). Mean and variance are
    those of a feature over `spatial_axes` axes before the last, of each item by itself.
    PyTorch has no scale and bias by default. Ulyanov et al., arXiv:1607.08022.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("instance_normalization",)

    op: Literal["instance_norm"] = "instance_norm"


class L2Normalize(Op):
    """`x / max(norm, eps)`, norm being the Euclidean one along `axis`. (...) -> (...).

    The gradient where x is 0 is that of `x / eps`.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("normalize", "unit_norm", "l2norm")

    op: Literal["l2_normalize"] = "l2_normalize"
    x: Tensor
    axis: Int | list[Int] = -1
    eps: Float = 1e-12

    def problems(self) -> Iterator[Problem]:
        yield from _positive(self.eps)


class WeightNorm(ParamOp):
    """A kernel whose norms are parameters: `scale * x / norm`, for each output.

    x (..., features), the kernel as it is stored -> (..., features), the one to use.
    The norm is that over all axes but the last, `sqrt(sum(x ** 2) + eps)`; PyTorch has
    no eps and starts with scale = norm. Salimans and Kingma, arXiv:1602.07868.
    """

    op: Literal["weight_norm"] = "weight_norm"
    x: Tensor
    scale: Annotated[ParamSlot, Elsewhere("weight_g")] = None
    features: Annotated[OptionalSize, SizeOf("x"), SizeOf("out")] = None
    eps: Float = 1e-12

    def parameters(self) -> dict[str, Leaf]:
        return {"scale": Leaf((self.features,), ONES)}

    def problems(self) -> Iterator[Problem]:
        yield from _positive(self.eps)


class SpectralNorm(ParamOp):
    """A kernel divided by its greatest singular value, which is estimated.

    x (..., features), the kernel as it is stored -> (..., features), the one to use.
    The matrix W has the last axis of x as columns and all others as rows. With
    `v = W u / |W u|` the estimate is `v W u`; when training, u is first replaced by
    `v W / |v W|`, `iterations` times, and kept as state. No gradient goes through u and
    v. Norms are at least `eps`. Miyato et al., arXiv:1802.05957.
    """

    TRAIN: ClassVar[bool] = True
    STATEFUL: ClassVar[bool] = True

    op: Literal["spectral_norm"] = "spectral_norm"
    x: Tensor
    features: Annotated[OptionalSize, SizeOf("x"), SizeOf("out")] = None
    iterations: Size = 1
    eps: Float = 1e-12

    def parameters(self) -> dict[str, Leaf]:
        # Of float32 as all state: a direction in bfloat16 would not settle.
        start = Normal(stddev=1.0)
        return {"u": Leaf((self.features,), start, dtype="float32", kind="state")}

    def problems(self) -> Iterator[Problem]:
        yield from _positive(self.eps)
        if isinstance(self.iterations, int) and self.iterations > 64:
            # The function is written out, step by step.
            yield Problem.expected("iterations", "at most 64", self.iterations)
