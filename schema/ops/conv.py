"""Convolution over 1 to 3 spatial axes, channels last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from ..deferred import ParamOp
from ..fields import Count, OptionalSize, ParamSlot, Size, SizeOf, Tensor
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

    ALSO: ClassVar[tuple[str, ...]] = ("convolution", "conv_general_dilated")

    op: Literal["conv"] = "conv"
    x: Tensor
    kernel: ParamSlot = None
    bias: ParamSlot = None
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
        spatial = self.kernel_size or []
        shape = (*spatial, self.in_features // self.groups, self.out_features)
        leaves = {"kernel": Leaf(shape, LECUN_NORMAL)}
        if self.use_bias:
            leaves["bias"] = Leaf((self.out_features,), ZEROS)
        return leaves

    def problems(self) -> Iterator[Problem]:
        if self.kernel_size is None:
            if self.kernel is None:
                yield Problem(
                    "kernel_size", "expected a size for each spatial axis, found none"
                )
        elif not 1 <= len(self.kernel_size) <= 3:
            yield Problem.expected("kernel_size", "1 to 3 sizes", len(self.kernel_size))
        else:
            rank = len(self.kernel_size)
            for name in ("strides", "dilation", "padding"):
                value = getattr(self, name)
                if isinstance(value, list) and len(value) != rank:
                    yield Problem.expected(name, f"{rank}, one a spatial axis", value)
        yield from pairs_only(self.padding)
        for name in ("in_features", "out_features"):
            value = getattr(self, name)
            if not isinstance(value, int) or not isinstance(self.groups, int):
                continue
            if value % self.groups:
                yield Problem.expected(name, f"a multiple of {self.groups}", value)

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


def pairs_only(padding: Any) -> Iterator[Problem]:
    """A problem where explicit padding is not a list of [before, after]."""
    if isinstance(padding, list) and any(len(pair) != 2 for pair in padding):
        yield Problem.expected("padding", "pairs [before, after]", padding)
