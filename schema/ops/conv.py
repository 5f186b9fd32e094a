"""Convolution over 1 to 3 spatial axes, channels last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from ..deferred import ParamOp
from ..fields import Count, Elsewhere, OptionalSize, ParamSlot, Size, SizeOf, Tensor
from ..initializers import LECUN_NORMAL, ZEROS
from ..parameters import Leaf
from ..problems import Problem, mirrored_too_far

Padding = Literal["SAME", "SAME_LOWER", "VALID", "CAUSAL"] | list[list[Count]]


class Conv(ParamOp):
    """A convolution: what deep learning calls so, a cross-correlation.

    x (..., spatial..., in_features) -> (..., spatial..., out_features) with 1 to 3
    spatial axes, as many as `kernel_size` has sizes; kernel (spatial..., in_features /
    groups, out_features).

    `strides` and `dilation` are one number for all spatial axes or a list. `padding`:
    `VALID` none; `SAME` such that the result has ceil(size / stride), the odd element
    behind, with `SAME_LOWER` in front; `CAUSAL` dilation * (kernel_size - 1) in front;
    or a list of [before, after]. `padding_mode` is what stands there: zeros, the inside
    mirrored without the edge (`reflect`), the edge (`replicate`), the other end
    (`circular`).
    """

    ALSO: ClassVar[tuple[str, ...]] = (
        "convolution",
        "conv_general_dilated",
        "conv_with_general_padding",
        "depthwise_conv",
        "separable_conv",
    )

    op: Literal["conv"] = "conv"
    x: Tensor
    kernel: Annotated[ParamSlot, Elsewhere("weight", transposed=True)] = None
    bias: Annotated[ParamSlot, Elsewhere("bias")] = None
    in_features: Annotated[OptionalSize, SizeOf("x")] = None
    out_features: Annotated[OptionalSize, SizeOf("out")] = None
    kernel_size: list[Size] | None = None
    strides: Size | list[Size] = 1
    padding: Padding = "SAME"
    dilation: Size | list[Size] = 1
    groups: Size = 1
    padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros"
    use_bias: bool = True

    def parameters(self) -> dict[str, Leaf]:
        return kernel_and_bias(self)

    def channels(self) -> dict[str, tuple[int, ...]]:
        return {"kernel": (-1,)}

    def problems(self) -> Iterator[Problem]:
        yield from kernel_problems(self, ("strides", "dilation", "padding"))

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        if self.padding_mode in ("zeros", "replicate"):
            return
        kernel = shapes["kernel"][:-2]
        rank = len(kernel)
        pads = self.padding
        if not isinstance(pads, (list, tuple)):
            # At most what a window reaches beyond its first element.
            rates: Any = self.dilation
            rates = rates if isinstance(rates, (list, tuple)) else [rates] * rank
            pads = [[r * (k - 1)] for r, k in zip(rates, kernel, strict=False)]
        axes = shapes["x"][len(shapes["x"]) - rank - 1 : -1]
        yield from mirrored_too_far("padding", pads, axes)


class ConvTranspose(ParamOp):
    """The transpose of a convolution, which undoes what its strides do to sizes.

    x (..., spatial..., in_features) -> (..., spatial..., out_features) with 1 to 3
    spatial axes; kernel (spatial..., in_features / groups, out_features), laid out as
    that of `conv`. Element i of x adds `x[i] @ kernel[k]` to element
    `strides * i + dilation * k - before` of the result.

    `padding` is what is cut off: a list of [before, after], as the padding of the `conv`
    that this is the transpose of; `VALID` nothing, which leaves strides * (size - 1) +
    dilation * (kernel_size - 1) + 1; `SAME` such that strides * size are left, the odd
    element behind. `output_padding` is what is left more behind. With `flip_kernel`
    false the kernel is read in reverse along its spatial axes: that is the layout of
    `jax.lax.conv_transpose`, Flax and Equinox; true that of PyTorch, Keras and ONNX,
    whose axes stand in another order. Dumoulin and Visin, arXiv:1603.07285.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("deconvolution", "transposed_convolution")

    op: Literal["conv_transpose"] = "conv_transpose"
    x: Tensor
    kernel: Annotated[ParamSlot, Elsewhere("weight", transposed=True)] = None
    bias: Annotated[ParamSlot, Elsewhere("bias")] = None
    in_features: Annotated[OptionalSize, SizeOf("x")] = None
    out_features: Annotated[OptionalSize, SizeOf("out")] = None
    kernel_size: list[Size] | None = None
    strides: Size | list[Size] = 1
    padding: Literal["SAME", "VALID"] | list[list[Count]] = "SAME"
    dilation: Size | list[Size] = 1
    groups: Size = 1
    output_padding: Count | list[Count] = 0
    flip_kernel: bool = True
    use_bias: bool = True

    def parameters(self) -> dict[str, Leaf]:
        return kernel_and_bias(self)

    def channels(self) -> dict[str, tuple[int, ...]]:
        return {"kernel": (-1,)}

    def problems(self) -> Iterator[Problem]:
        yield from kernel_problems(
            self, ("strides", "dilation", "padding", "output_padding")
        )


def kernel_and_bias(op: Any) -> dict[str, Leaf]:
    """The parameters of a convolution; the fan in is all that one output is made of."""
    spatial = op.kernel_size or []
    shape = (*spatial, op.in_features // op.groups, op.out_features)
    leaves = {"kernel": Leaf(shape, LECUN_NORMAL)}
    if op.use_bias:
        leaves["bias"] = Leaf((op.out_features,), ZEROS)
    return leaves


def kernel_problems(op: Any, per_axis: Sequence[str]) -> Iterator[Problem]:
    """Problems of the attributes of a convolution; `per_axis` may be lists."""
    if op.kernel_size is None:
        if op.kernel is None:
            yield Problem(
                "kernel_size", "expected a size for each spatial axis, found none"
            )
    elif not 1 <= len(op.kernel_size) <= 3:
        yield Problem.expected("kernel_size", "1 to 3 sizes", len(op.kernel_size))
    else:
        rank = len(op.kernel_size)
        for name in per_axis:
            value = getattr(op, name)
            if isinstance(value, list) and len(value) != rank:
                yield Problem.expected(name, f"{rank}, one a spatial axis", value)
    yield from pairs_only(op.padding)
    for name in ("in_features", "out_features"):
        value = getattr(op, name)
        if not isinstance(value, int) or not isinstance(op.groups, int):
            continue
        if value % op.groups:
            yield Problem.expected(name, f"a multiple of {op.groups}", value)


def pairs_only(padding: Any) -> Iterator[Problem]:
    """A problem where explicit padding is not a list of [before, after]."""
    if isinstance(padding, list) and any(len(pair) != 2 for pair in padding):
        yield Problem.expected("padding", "pairs [before, after]", padding)
