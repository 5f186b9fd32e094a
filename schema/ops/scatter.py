"""Gather, scatter and segments: elements at places that arrays say, read and written.

An index below 0 counts from the end, -1 being the last, but for ids of segments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeAlias

from ..deferred import Op
from ..fields import Count, Int, Size, Tensor, Tensors
from ..problems import Problem, not_real, too_many
from .indexing import axes_of, one_an_axis

Reduce: TypeAlias = Literal["set", "add", "multiply", "min", "max"]
"""What becomes of an element and its updates: `set` is the last of them in row-major
order, the others take the element itself and all of its updates together."""
MAX_BATCH = 32
"""Axes of batches, each of which is a `vmap`."""


class Gather(Op):
    """`x[i, j]`: the elements of x at indices of several axes.

    `indices` has integers for each axis of `axis`, which broadcast to (i...); axes of x
    that have none are taken whole. x (..., n, m), indices (i...), (i...) -> (..., i...)
    for axis [-2, -1]: the axes of the indices stand where the first of `axis` was. An
    index out of range is clamped (`clip`), or gives NaN or the least integer (`fill`).
    """

    COMPLEX: ClassVar[bool] = True
    ALSO: ClassVar[tuple[str, ...]] = ("index_take",)

    op: Literal["gather"] = "gather"
    x: Tensor
    indices: Tensors
    axis: list[Int]
    mode: Literal["clip", "fill"] = "clip"

    def problems(self) -> Iterator[Problem]:
        yield from one_an_axis(self.axis, indices=self.indices)

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        yield from axes_of(len(shapes["x"]), self.axis)


class GatherNd(Op):
    """`y[b, i] = x[b, *indices[b, i]]`: the last axis of indices is a place in x.

    x (b..., n1, ..., nk, r...), indices (b..., i..., k) -> (b..., i..., r...), b... being
    `batch_dims` axes. An index out of range is clamped (`clip`), or gives NaN or the least
    integer (`fill`). ONNX GatherND, tf.gather_nd.
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["gather_nd"] = "gather_nd"
    x: Tensor
    indices: Tensor
    batch_dims: Count = 0
    mode: Literal["clip", "fill"] = "clip"

    def problems(self) -> Iterator[Problem]:
        yield from _few_batches(self.batch_dims)

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        yield from _places_in(self.batch_dims, shapes["x"], shapes["indices"])


class Update(Op):
    """The base of ops that give x with updates, cast to its dtype."""

    REJOINS: ClassVar[bool] = True
    COMPLEX: ClassVar[bool] = True

    def complex_problems(self, found: Mapping[str, str]) -> Iterator[Problem]:
        if "x" not in found or getattr(self, "reduce", "") in ("min", "max"):
            yield from [not_real(name, dtype) for name, dtype in found.items()]


class Scatter(Update):
    """`x[i, j] = updates`, or `+=` and the like: x with updates at indices of some axes.

    `indices` has integers for each axis of `axis`, which broadcast to (i...). x (..., n, m),
    indices (i...), (i...), updates (..., i...) -> as x, for axis [-2, -1]; updates have the
    shape that `gather` gives there, or broadcast to it, and are cast to the dtype of x.

    `reduce` says what becomes of an element and its updates, where indices are repeated
    too: `set` is the last of them in row-major order, as in NumPy; `add`, `multiply`, `min`
    and `max` join the element and all of them. Gradients are those of that: of equal
    extremes each has the same share. `unique_indices` promises that no element is written
    twice, which is faster for `set` and `multiply`; what comes of others is not defined
    then. An index out of range is left out (`drop`) or clamped (`clip`).
    """

    ALSO: ClassVar[tuple[str, ...]] = (
        "scatter_add",
        "scatter_mul",
        "scatter_min",
        "scatter_max",
        "index_add",
        "index_copy",
        "index_put",
    )

    op: Literal["scatter"] = "scatter"
    x: Tensor
    indices: Tensors
    updates: Tensor
    axis: list[Int]
    reduce: Reduce = "set"
    mode: Literal["drop", "clip"] = "drop"
    unique_indices: bool = False

    def problems(self) -> Iterator[Problem]:
        yield from one_an_axis(self.axis, indices=self.indices)

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        yield from axes_of(len(shapes["x"]), self.axis)


class ScatterNd(Update):
    """`x[b, *indices[b, i]] = updates[b, i]`, or `+=` and the like.

    x (b..., n1, ..., nk, r...), indices (b..., i..., k), updates (b..., i..., r...) -> as
    x, b... being `batch_dims` axes. `reduce`, `mode` and `unique_indices` are those of
    `scatter`. ONNX ScatterND, tf.tensor_scatter_nd_update.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("tensor_scatter_nd_update", "at")

    op: Literal["scatter_nd"] = "scatter_nd"
    x: Tensor
    indices: Tensor
    updates: Tensor
    batch_dims: Count = 0
    reduce: Reduce = "set"
    mode: Literal["drop", "clip"] = "drop"
    unique_indices: bool = False

    def problems(self) -> Iterator[Problem]:
        yield from _few_batches(self.batch_dims)

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        yield from _places_in(self.batch_dims, shapes["x"], shapes["indices"])


class PutAlongAxis(Update):
    """`x[..., indices[..., i, ...], ...] = values[..., i, ...]` along `axis`, or `+=`.

    x (..., n), indices (..., m), values (..., m) -> (..., n) for axis -1; values broadcast
    to indices, and the other axes of indices and x to each other. `reduce`, `mode` and
    `unique_indices` are those of `scatter`. The inverse of `take_along_axis`.
    `jnp.put_along_axis`, torch.scatter, ONNX ScatterElements.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("scatter_elements", "scatter_reduce", "put")

    op: Literal["put_along_axis"] = "put_along_axis"
    x: Tensor
    indices: Tensor
    values: Tensor
    axis: Int
    reduce: Reduce = "set"
    mode: Literal["drop", "clip"] = "drop"
    unique_indices: bool = False

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        rank, found = len(shapes["x"]), len(shapes["indices"])
        yield from axes_of(rank, [self.axis])
        if found != rank:
            yield Problem("indices", f"expected {rank} axes, as x has, found {found}")


class Segments(Op):
    """The base of ops of rows in groups."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("data",)

    data: Tensor
    segment_ids: Tensor
    num_segments: Size

    def problems(self) -> Iterator[Problem]:
        yield from too_many("num_segments", [self.num_segments])

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        data, ids = list(shapes["data"]), list(shapes["segment_ids"])
        if not ids:
            yield Problem("segment_ids", "expected an axis of rows, found no axis")
        elif data[: len(ids)] != ids:
            message = f"expected the first axes of data, {data}, found {ids}"
            yield Problem("segment_ids", message)


class SegmentSum(Segments):
    """The sum of the rows of each segment: `y[segment_ids[i]] += data[i]`.

    data (..., n, features...), segment_ids (..., n) integer -> (..., num_segments,
    features...): the last axis of the ids is that of the rows. Rows whose id is not
    from 0 to num_segments - 1 are left out; a segment without rows has 0.
    `jax.ops.segment_sum`, for each index of the leading axes.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("unsorted_segment_sum",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["segment_sum"] = "segment_sum"


class SegmentMean(Segments):
    """The mean of the rows of each segment, in float32.

    data (..., n, features...), segment_ids (..., n) integer -> (..., num_segments,
    features...). Ids as in `segment_sum`; a segment without rows has 0.
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["segment_mean"] = "segment_mean"


class SegmentMax(Segments):
    """The greatest row of each segment, element by element.

    data (..., n, features...), segment_ids (..., n) integer -> (..., num_segments,
    features...). Ids as in `segment_sum`; a segment without rows has -inf, or the least
    integer. Elements that are equal have the same share of the gradient.
    `jax.ops.segment_max`, for each index of the leading axes.
    """

    op: Literal["segment_max"] = "segment_max"


class SegmentMin(Segments):
    """The least row of each segment, element by element.

    data (..., n, features...), segment_ids (..., n) integer -> (..., num_segments,
    features...). Ids as in `segment_sum`; a segment without rows has inf, or the greatest
    integer. Elements that are equal have the same share of the gradient.
    `jax.ops.segment_min`, for each index of the leading axes.
    """

    op: Literal["segment_min"] = "segment_min"


class SegmentProd(Segments):
    """The product of the rows of each segment, with the gradient where elements are 0.

    data (..., n, features...), segment_ids (..., n) integer -> (..., num_segments,
    features...). Ids as in `segment_sum`; a segment without rows has 1. Sorted and
    scanned, as `jax.ops.segment_prod` has no gradient.
    """

    op: Literal["segment_prod"] = "segment_prod"


class SegmentSoftmax(Segments):
    """`exp(data)` over the sum of that in each segment, element by element.

    data (..., n, features...), segment_ids (..., n) integer -> as data. Rows whose id is
    not from 0 to num_segments - 1 give 0. The weights of a graph attention layer,
    arXiv:1710.10903.
    """

    op: Literal["segment_softmax"] = "segment_softmax"


def _few_batches(batch_dims: Any) -> Iterator[Problem]:
    if isinstance(batch_dims, int) and batch_dims > MAX_BATCH:
        yield Problem.expected("batch_dims", f"at most {MAX_BATCH}", batch_dims)


def _places_in(
    batch: Any, x: Sequence[Any], indices: Sequence[Any]
) -> Iterator[Problem]:
    """Problems of indices whose last axis is a place in x behind the axes of batches."""
    if not isinstance(batch, int):
        return
    most = min(len(indices) - 1, len(x))
    if batch > most:
        yield Problem.expected("batch_dims", f"at most {most}, axes of both", batch)
    elif (found := list(indices[:batch])) != (batches := list(x[:batch])):
        yield Problem("indices", f"expected axes {batches} first, found {found}")
    elif isinstance(count := indices[-1], int) and not 0 < count <= len(x) - batch:
        axes = f"a last axis of 1 to {len(x) - batch}, the axes of x"
        yield Problem.expected("indices", axes, count)
