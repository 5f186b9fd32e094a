"""Shapes: the same elements in another arrangement. Axes may be negative throughout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from ..deferred import Op
from ..dtypes import COMPLEX, DType
from ..fields import Count, Fill, Int, ShapeOf, Size, Tensor
from ..problems import Problem, mirrored_too_far, not_real, too_many


class Reshape(Op):
    """The elements of x in order, in another `shape`.

    A leading `"..."` stands for all axes of x but the last, so that `["...", 4, 16]`
    splits it: (..., 64) -> (..., 4, 16); `flatten` merges axes again. One size may be
    -1, what is left over.
    """

    SYMBOLIC: ClassVar[bool] = False
    ALSO: ClassVar[tuple[str, ...]] = ("view",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["reshape"] = "reshape"
    x: Tensor
    shape: Annotated[list[Int | Literal["..."]], ShapeOf()]

    def problems(self) -> Iterator[Problem]:
        if "..." in self.shape[1:]:
            yield Problem("shape", "expected `...` in front of all sizes")
        sizes = [s for s in self.shape if isinstance(s, int)]
        if any(s < -1 for s in sizes) or sizes.count(-1) > 1:
            yield Problem.expected("shape", "sizes, of which one may be -1", sizes)
        elif 0 in sizes and -1 in sizes:
            yield Problem.expected("shape", "sizes above 0 beside -1", sizes)


class Flatten(Op):
    """The axes from `start` up to but without `stop` (null: to the end) as one.

    (..., a, b, c) -> (..., a * b * c) with start -3.
    """

    COMPLEX: ClassVar[bool] = True
    ALSO: ClassVar[tuple[str, ...]] = ("ravel", "collapse")

    op: Literal["flatten"] = "flatten"
    x: Tensor
    start: Int
    stop: Int | None = None


class Transpose(Op):
    """Axis i of the result is axis `permutation[i]` of x."""

    ALSO: ClassVar[tuple[str, ...]] = (
        "permute",
        "permute_dims",
        "moveaxis",
        "rollaxis",
    )
    COMPLEX: ClassVar[bool] = True

    op: Literal["transpose"] = "transpose"
    x: Tensor
    permutation: list[Int]

    def problems(self) -> Iterator[Problem]:
        rank = len(self.permutation)
        known = [p for p in self.permutation if isinstance(p, int)]
        if len(known) == rank and sorted(p % max(rank, 1) for p in known) != list(
            range(rank)
        ):
            yield Problem.expected("permutation", f"each of {rank} axes once", known)


class SwapAxes(Op):
    """x with two axes interchanged. (..., a, b) -> (..., b, a) for axes -2 and -1."""

    ALSO: ClassVar[tuple[str, ...]] = ("swapdims", "matrix_transpose")
    COMPLEX: ClassVar[bool] = True

    op: Literal["swapaxes"] = "swapaxes"
    x: Tensor
    axis1: Int
    axis2: Int


class ExpandDims(Op):
    """New axes of size 1 at `axis` of the result. (...) -> (..., 1) for axis -1."""

    ALSO: ClassVar[tuple[str, ...]] = (
        "unsqueeze",
        "atleast_1d",
        "atleast_2d",
        "atleast_3d",
    )
    COMPLEX: ClassVar[bool] = True

    op: Literal["expand_dims"] = "expand_dims"
    x: Tensor
    axis: Int | list[Int]


class Squeeze(Op):
    """Without `axis`, which is of size 1. (..., 1) -> (...) for -1."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["squeeze"] = "squeeze"
    x: Tensor
    axis: Int | list[Int]


class BroadcastTo(Op):
    """x repeated to `shape`, as in `jnp.broadcast_to`."""

    ALSO: ClassVar[tuple[str, ...]] = (
        "expand",
        "broadcast",
        "broadcast_in_dim",
        "broadcast_like",
        "broadcast_to_rank",
        "broadcast_arrays",
    )
    COMPLEX: ClassVar[bool] = True

    op: Literal["broadcast_to"] = "broadcast_to"
    x: Tensor
    shape: Annotated[list[Count], ShapeOf()]

    def problems(self) -> Iterator[Problem]:
        yield from too_many("shape", self.shape)


class Flip(Op):
    """x in reverse order along `axis`, null being all axes. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("reverse", "flipud", "fliplr", "rev")
    COMPLEX: ClassVar[bool] = True

    op: Literal["flip"] = "flip"
    x: Tensor
    axis: Int | list[Int] | None = None


class Roll(Op):
    """x shifted along `axis`, element i to i + shift; what leaves at one end enters at
    the other. (...) -> (...).
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["roll"] = "roll"
    x: Tensor
    shift: Int | list[Int]
    axis: Int | list[Int]

    def problems(self) -> Iterator[Problem]:
        if (
            isinstance(self.shift, list)
            and isinstance(self.axis, list)
            and len(self.shift) != len(self.axis)
        ):
            yield Problem.expected(
                "shift", f"{len(self.axis)}, one an axis", self.shift
            )


class Tile(Op):
    """`reps[i]` copies of x along axis i, the last one along the last axis.

    (n,) -> (r * n,) for reps [r].
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["tile"] = "tile"
    x: Tensor
    reps: list[Size]

    def problems(self) -> Iterator[Problem]:
        yield from too_many("reps", self.reps)


class RepeatElements(Op):
    """Each element `repeats` times in place along `axis`: a, a, b, b for a, b.

    (..., n) -> (..., repeats * n) for axis -1.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("repeat_interleave",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["repeat_elements"] = "repeat_elements"
    x: Tensor
    repeats: Size
    axis: Int

    def problems(self) -> Iterator[Problem]:
        yield from too_many("repeats", [self.repeats])


class Pad(Op):
    """x with `pad_width[i] = [before, after]` more elements along its last axes.

    `mode` is what they are, as in `jnp.pad`; `constant_values` is for `constant`.
    (..., n) -> (..., before + n + after) for one pair.
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["pad"] = "pad"
    x: Tensor
    pad_width: list[list[Count]]
    mode: Literal["constant", "edge", "reflect", "symmetric", "wrap"] = "constant"
    constant_values: Fill = 0

    def problems(self) -> Iterator[Problem]:
        if any(len(pair) != 2 for pair in self.pad_width):
            yield Problem.expected("pad_width", "pairs [before, after]", self.pad_width)
            return
        known = [p for p in self.pad_width if all(isinstance(n, int) for n in p)]
        yield from too_many("pad_width", [1 + sum(map(int, pair)) for pair in known])

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        if self.mode in ("reflect", "symmetric", "wrap"):
            axes = shapes["x"][len(shapes["x"]) - len(self.pad_width) :]
            yield from mirrored_too_far("pad_width", self.pad_width, axes)


class AsType(Op):
    """x in another dtype. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("cast", "convert_element_type")
    COMPLEX: ClassVar[bool] = True

    op: Literal["astype"] = "astype"
    x: Tensor
    dtype: DType

    def complex_problems(self, found: Mapping[str, str]) -> Iterator[Problem]:
        if self.dtype not in {*COMPLEX, "bool"}:
            yield from [not_real(name, dtype) for name, dtype in found.items()]
