"""Images: other sizes, samples at any place, regions, normalisation by neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from ..deferred import Op
from ..fields import Float, Size, Tensor
from ..problems import Problem, too_many

MAX_SAMPLING = 64
"""Samples along an axis of a cell of `roi_align`."""


class Resize(Op):
    """An image of other `sizes`, one for each spatial axis.

    (..., spatial..., features) -> (..., sizes..., features). `method` is one of
    `jax.image.resize`, where `cubic` has Keys' a = -1/2 and leaves out what lies beyond
    the edge; or `cubic_edge`, with a = -3/4 and the edge repeated, as in PyTorch and
    OpenCV. Element i of `size` lies at (i + 1/2) * n / size - 1/2 of n elements with the
    `coordinates` `half_pixel`, at i * (n - 1) / (size - 1) with `align_corners`, at
    i * n / size with `asymmetric`; `nearest` is the element that is nearest there with
    `half_pixel`, the one at or before it with the others. `antialias` makes the kernel
    of `linear`, `cubic` and the Lanczos methods as wide as what becomes one element, where
    the image gets smaller.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("interpolate", "upsample", "upsampling")

    op: Literal["resize"] = "resize"
    x: Tensor
    sizes: list[Size]
    method: Literal["nearest", "linear", "cubic", "cubic_edge", "lanczos3", "lanczos5"]
    coordinates: Literal["half_pixel", "align_corners", "asymmetric"] = "half_pixel"
    antialias: bool

    def problems(self) -> Iterator[Problem]:
        if not self.sizes:
            yield Problem("sizes", "expected a size for each spatial axis, found none")
        yield from too_many("sizes", self.sizes)
        half = self.coordinates == "half_pixel"
        if self.method in ("cubic", "lanczos3", "lanczos5") and not half:
            wanted = f"half_pixel for {self.method}"
            yield Problem.expected("coordinates", wanted, self.coordinates)
        plain = self.method in ("nearest", "cubic_edge") or not half
        if self.antialias and plain:
            wanted = f"false for {self.method} and {self.coordinates}"
            yield Problem.expected("antialias", wanted, True)


class ScaleAndTranslate(Op):
    """An image of other `sizes`, scaled and moved: the place p lies at `p * scale +
    translation` then, of which pixel i has the centre i + 1/2.

    x (..., spatial..., features), scale (k,), translation (k,), one for each of the k spatial
    axes, -> (..., sizes..., features). What comes from outside of the image is 0.
    `antialias` makes the kernel wider where the image gets smaller.
    `jax.image.scale_and_translate`; `resize` has the scale of the sizes.
    """

    op: Literal["scale_and_translate"] = "scale_and_translate"
    x: Tensor
    scale: Tensor
    translation: Tensor
    sizes: list[Size]
    method: Literal["linear", "cubic", "lanczos3", "lanczos5"]
    antialias: bool

    def problems(self) -> Iterator[Problem]:
        if not self.sizes:
            yield Problem("sizes", "expected a size for each spatial axis, found none")
        yield from too_many("sizes", self.sizes)


class GridSample(Op):
    """An image at the places of a `grid`: between elements along each axis, by a line or
    by Keys' cubic with a = -3/4, or the nearest one.

    x (..., spatial..., features) and grid (..., places..., n) give (..., places...,
    features), n being the number of spatial axes, 1 to 3, and the last of them first in
    the grid: (x, y). -1 and 1 are the centres of the outermost elements with
    `align_corners`, else their outer edges. Outside of the image there are zeros, the
    edge (`border`), or the image mirrored at these places (`reflection`). A place halfway
    between two elements is nearest to the even one. As `grid_sample` of PyTorch;
    Jaderberg et al., arXiv:1506.02025.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("map_coordinates", "spatial_transformer")

    op: Literal["grid_sample"] = "grid_sample"
    x: Tensor
    grid: Tensor
    method: Literal["linear", "nearest", "cubic"] = "linear"
    padding_mode: Literal["zeros", "border", "reflection"] = "zeros"
    align_corners: bool

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        x, grid = shapes["x"], shapes["grid"]
        n = grid[-1] if len(grid) else 0
        if not isinstance(n, int) or not 1 <= n <= 3:
            yield Problem.expected("grid", "a last axis of 1 to 3 coordinates", n)
        elif len(x) <= n or len(grid) < len(x) - n:
            found = f"axes {len(x)} and {len(grid)}"
            yield Problem("grid", f"expected the leading dims of x, found {found}")


class AffineGrid(Op):
    """The grid of `grid_sample` that an affine map makes of an image of `sizes`.

    theta (..., n, n + 1) gives (..., sizes..., n): it maps a place (x, y) of the result
    to one of the image. -1 and 1 are the centres of the outermost elements with
    `align_corners`, else their outer edges.
    """

    op: Literal["affine_grid"] = "affine_grid"
    theta: Tensor
    sizes: list[Size]
    align_corners: bool

    def problems(self) -> Iterator[Problem]:
        if not 1 <= len(self.sizes) <= 3:
            yield Problem.expected("sizes", "1 to 3 sizes", len(self.sizes))
        yield from too_many("sizes", self.sizes)


class RoiAlign(Op):
    """The part of an image in each of k boxes, as an image of `sizes`.

    x (..., height, width, features) and boxes (..., k, 4), each of them x1, y1, x2, y2,
    give (..., k, sizes..., features). A cell is the mean of `sampling_ratio` by
    `sampling_ratio` samples, evenly spaced, linear between elements, 0 more than 1
    outside of the image. Boxes are multiplied by `spatial_scale`; with `aligned` an
    element lies at its centre, half a pixel further, without it a box is at least 1 wide
    and high. He et al., arXiv:1703.06870.
    """

    op: Literal["roi_align"] = "roi_align"
    x: Tensor
    boxes: Tensor
    sizes: list[Size]
    spatial_scale: Float = 1.0
    sampling_ratio: Size = 2
    aligned: bool = True

    def problems(self) -> Iterator[Problem]:
        if len(self.sizes) != 2:
            yield Problem.expected("sizes", "a height and a width", self.sizes)
        yield from too_many("sizes", self.sizes)
        ratio = self.sampling_ratio
        if isinstance(ratio, int) and ratio > MAX_SAMPLING:
            yield Problem.expected("sampling_ratio", f"at most {MAX_SAMPLING}", ratio)


class LocalResponseNorm(Op):
    """x / (k + alpha / size * the sum of squares of `size` features around it) ** beta.

    (..., n) -> (..., n). The window has size // 2 features before; what lies beyond the
    ends is 0. Krizhevsky et al. 2012; there, and in TensorFlow, alpha is not divided by
    the size, in PyTorch and ONNX it is.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("lrn",)

    op: Literal["local_response_norm"] = "local_response_norm"
    x: Tensor
    size: Size
    alpha: Float = 1e-4
    beta: Float = 0.75
    k: Float = 1.0

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.k, (int, float)) and self.k <= 0:
            yield Problem.expected("k", "a number above 0", self.k)
        if isinstance(self.alpha, (int, float)) and self.alpha < 0:
            yield Problem.expected("alpha", "a number of at least 0", self.alpha)
