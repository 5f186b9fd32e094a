"""Windows and blocks of images: patches, pooling with places, depth for space."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from ..deferred import Op
from ..diagnostics import quote
from ..fields import Count, Size, Tensor
from ..problems import Problem, too_many

Order = Literal["DCR", "CRD"]


class Windowed(Op):
    """The base of ops on moving windows, placed as those of `conv`.

    There are as many spatial axes as `window` has sizes. `strides` and `dilation` are one
    number for all or a list; `padding` is `VALID` none, `SAME` as in `conv`, or a list of
    [before, after].
    """

    x: Tensor
    window: list[Size]
    strides: Size | list[Size] | None = 1
    padding: Literal["SAME", "SAME_LOWER", "VALID"] | list[list[Count]] = "VALID"
    dilation: Size | list[Size] = 1

    def problems(self) -> Iterator[Problem]:
        rank = len(self.window)
        if rank == 0:
            yield Problem("window", "expected a size for each spatial axis, found none")
        for name in ("strides", "padding", "dilation"):
            value = getattr(self, name)
            if isinstance(value, list) and len(value) != rank:
                yield Problem.expected(name, f"{rank}, one a spatial axis", value)
        if isinstance(self.padding, list) and any(len(p) != 2 for p in self.padding):
            yield Problem.expected("padding", "pairs [before, after]", self.padding)
        yield from too_many("window", self.window)


class Im2Col(Windowed):
    """Every window as a vector, in the order of a `conv` kernel: `im2col(x) @
    kernel.reshape(-1, out_features)` is the convolution.

    (..., spatial..., features) -> (..., places..., elements * features), with as many
    elements as a window has, and 0 for what is padded. With one spatial axis it cuts a
    signal into frames.
    """

    ALSO: ClassVar[tuple[str, ...]] = (
        "unfold",
        "extract_patches",
        "conv_general_dilated_patches",
        "frame",
    )
    COMPLEX: ClassVar[bool] = True

    op: Literal["im2col"] = "im2col"
    strides: Size | list[Size] = 1


class Col2Im(Windowed):
    """The transpose of `im2col`: windows at their places in an image, summed where they
    overlap.

    (..., places..., elements * features) -> (..., spatial..., features), the spatial
    axes being of `sizes`; places are as many as `im2col` makes of such an image. With one
    spatial axis it is overlap and add.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("fold", "overlap_and_add")
    COMPLEX: ClassVar[bool] = True

    op: Literal["col2im"] = "col2im"
    sizes: list[Size]
    strides: Size | list[Size] = 1

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if len(self.sizes) != len(self.window):
            wanted = f"{len(self.window)}, one a spatial axis"
            yield Problem.expected("sizes", wanted, self.sizes)
        yield from too_many("sizes", self.sizes)


class MaxPoolWithIndices(Windowed):
    """`max_pool`, and where each value stands: `node.values`, `node.indices`.

    (..., spatial..., features) -> (..., places..., features), (..., places...,
    features), the indices counting the elements of an image in order, rows first, for
    each feature by itself, as in PyTorch; of equal values the first one. `strides` null
    is the window's sizes. `max_unpool` puts values back.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("max_pool_with_argmax",)
    OUTPUTS: ClassVar[tuple[str, ...]] = ("values", "indices")

    op: Literal["max_pool_with_indices"] = "max_pool_with_indices"
    strides: Size | list[Size] | None = None

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        if isinstance(self.padding, list):
            for size, pair in zip(self.window, self.padding, strict=False):
                if isinstance(size, int) and any(
                    isinstance(n, int) and n >= size for n in pair
                ):
                    yield Problem.expected("padding", "less than the window", pair)


class MaxUnpool(Op):
    """Values where `max_pool_with_indices` found them, zeros elsewhere.

    (..., places..., features), (..., places..., features) -> (..., sizes..., features).
    What `indices` has twice should be one value; what lies outside is dropped.
    """

    op: Literal["max_unpool"] = "max_unpool"
    x: Tensor
    indices: Tensor
    sizes: list[Size]

    def problems(self) -> Iterator[Problem]:
        if not self.sizes:
            yield Problem("sizes", "expected a size for each spatial axis, found none")
        yield from too_many("sizes", self.sizes)


class DepthToSpace(Op):
    """Features that become blocks of the image, `block` elements along each spatial axis.

    (..., h, w, a * b * features) -> (..., h * a, w * b, features) for a block [a, b].
    `order` is that of the features of x, by ONNX's names: `DCR` the place in the block
    first, then features (TensorFlow); `CRD` features first (PyTorch's pixel shuffle;
    Shi et al., arXiv:1609.05158).
    """

    ALSO: ClassVar[tuple[str, ...]] = ("pixel_shuffle",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["depth_to_space"] = "depth_to_space"
    x: Tensor
    block: list[Size]
    order: Order

    def problems(self) -> Iterator[Problem]:
        yield from some_sizes("block", self.block)

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        count = math.prod(size for size in self.block if isinstance(size, int))
        features = shapes["x"][-1] if shapes["x"] else 0
        if isinstance(features, int) and features % count:
            wanted = f"to divide the features ({features})"
            yield Problem.expected("block", wanted, count)


class SpaceToDepth(Op):
    """Blocks of the image that become features: the inverse of `depth_to_space`.

    (..., h * a, w * b, features) -> (..., h, w, a * b * features) for a block [a, b].
    """

    ALSO: ClassVar[tuple[str, ...]] = ("pixel_unshuffle",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["space_to_depth"] = "space_to_depth"
    x: Tensor
    block: list[Size]
    order: Order

    def problems(self) -> Iterator[Problem]:
        yield from some_sizes("block", self.block)

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        axes = shapes["x"][len(shapes["x"]) - 1 - len(self.block) : -1]
        yield from not_divided("block", "the spatial axes", axes, self.block)


class WindowPartition(Op):
    """Windows side by side, in order, rows of them first.

    (..., h * a, w * b, features) -> (..., h * w, a * b, features) for a window [a, b];
    there are as many spatial axes as `window` has sizes. Liu et al., arXiv:2103.14030.
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["window_partition"] = "window_partition"
    x: Tensor
    window: list[Size]

    def problems(self) -> Iterator[Problem]:
        yield from some_sizes("window", self.window)

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        axes = shapes["x"][len(shapes["x"]) - 1 - len(self.window) : -1]
        yield from not_divided("window", "the spatial axes", axes, self.window)


class WindowMerge(Op):
    """The image of `sizes` that `window_partition` made windows of.

    (..., h * w, a * b, features) -> (..., h * a, w * b, features) for a window [a, b].
    """

    ALSO: ClassVar[tuple[str, ...]] = ("window_reverse",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["window_merge"] = "window_merge"
    x: Tensor
    sizes: list[Size]
    window: list[Size]

    def problems(self) -> Iterator[Problem]:
        yield from some_sizes("window", self.window)
        if len(self.sizes) != len(self.window):
            wanted = f"{len(self.window)}, one a spatial axis"
            yield Problem.expected("sizes", wanted, self.sizes)
        elif any(
            a % b
            for a, b in zip(self.sizes, self.window, strict=True)
            if isinstance(a, int) and isinstance(b, int)
        ):
            wanted = f"to be divided by {list(self.window)}"
            yield Problem.expected("sizes", wanted, self.sizes)


def some_sizes(field: str, sizes: Sequence[Any]) -> Iterator[Problem]:
    """A problem where there are no sizes, or their product is beyond reason."""
    if not sizes:
        yield Problem(field, "expected a size for each spatial axis, found none")
    yield from too_many(field, sizes)


def not_divided(
    field: str, what: str, sizes: Sequence[Any], parts: Sequence[Any]
) -> Iterator[Problem]:
    """A problem where one of the sizes is known to be no multiple of its part."""
    pairs = zip(sizes, parts, strict=False)
    if any(a % b for a, b in pairs if isinstance(a, int) and isinstance(b, int)):
        found = ", ".join(quote(size) for size in sizes)
        yield Problem.expected(field, f"to divide {what} ({found})", list(parts))
