"""Order: sorted arrays, the greatest elements, those that are unique or not 0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from ..deferred import Op
from ..fields import Fill, Int, Size, SizeOf, Tensor, Tensors
from ..problems import Problem, too_many


class Sort(Op):
    """x in ascending order along `axis`, or with `descending` the other way round.

    (..., n) -> (..., n). NaN counts as greater than all numbers. `jnp.sort`; the gradient
    of an element goes to where it came from.
    """

    op: Literal["sort"] = "sort"
    x: Tensor
    axis: Int = -1
    descending: bool = False


class ArgSort(Op):
    """The indices that sort x along `axis`: `take_along_axis(x, y, axis)` is `sort(x)`.

    (..., n) -> (..., n) int32. With `stable`, equal elements keep their order, ascending
    and descending; without it their order is not defined. `jnp.argsort`.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["argsort"] = "argsort"
    x: Tensor
    axis: Int = -1
    stable: bool = True
    descending: bool = False


class TopK(Op):
    """The `k` greatest elements along `axis` in descending order, and their indices.

    x (..., n) -> `node.values` and `node.indices`, (..., k), int32 the latter; of equal
    elements the one in front comes first. `jax.lax.top_k`; the gradient of values goes to
    the elements that were chosen.
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = ("values", "indices")
    ALSO: ClassVar[tuple[str, ...]] = ("approx_max_k",)

    op: Literal["top_k"] = "top_k"
    x: Tensor
    k: Annotated[Size, SizeOf("values", "axis"), SizeOf("indices", "axis")]
    axis: Int = -1

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        x, axis = shapes["x"], self.axis
        if isinstance(axis, int) and -len(x) <= axis < len(x):
            k, n = self.k, x[axis]
            if isinstance(k, int) and isinstance(n, int) and k > n:
                yield Problem.expected("k", f"at most {n}, the size of the axis", k)


class Unique(Op):
    """The distinct elements of the last axis in ascending order, `size` of them.

    x (..., n) -> `node.values` (..., size); `node.inverse` (..., n) int32, the place of
    each element among the distinct ones; `node.counts` (..., size) int32, how often each
    is there. Where there are fewer than `size`, values are filled with `fill_value` (null:
    the least element) and counts with 0; where there are more, the greatest are left out,
    and `inverse` has their places all the same. NaN is equal to NaN. `jnp.unique`,
    for each index of the leading axes.
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = ("values", "inverse", "counts")
    ALSO: ClassVar[tuple[str, ...]] = (
        "unique_values",
        "unique_counts",
        "unique_inverse",
        "unique_all",
    )

    op: Literal["unique"] = "unique"
    x: Tensor
    size: Annotated[Size, SizeOf("values"), SizeOf("counts")]
    fill_value: Fill | None = None

    def problems(self) -> Iterator[Problem]:
        yield from too_many("size", [self.size])


class NonZero(Op):
    """The indices of the elements of the last axis that are not 0, `size` of them.

    (..., n) -> (..., size) int32, ascending. Where there are fewer, `fill_value` follows;
    where there are more, the last are left out. `jnp.flatnonzero`, for each index of the
    leading axes.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    ALSO: ClassVar[tuple[str, ...]] = ("flatnonzero", "argwhere")

    op: Literal["nonzero"] = "nonzero"
    x: Tensor
    size: Annotated[Size, SizeOf("out")]
    fill_value: Int = 0

    def problems(self) -> Iterator[Problem]:
        yield from too_many("size", [self.size])


class Parted(Op):
    """What a partition takes."""

    x: Tensor
    kth: Int
    axis: Int = -1

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        yield from _within("kth", self.kth, shapes["x"], self.axis)


class Partition(Parted):
    """x with element `kth` of the sorted x along `axis` in its place, what is smaller
    before it and what is greater behind, in no order that is defined.

    (..., n) -> (..., n). `jnp.partition`.
    """

    op: Literal["partition"] = "partition"


class ArgPartition(Parted):
    """The indices that `partition` x along `axis`: element `kth` in its place, what is
    smaller before it and what is greater behind.

    (..., n) -> (..., n) int32. `jnp.argpartition`.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["argpartition"] = "argpartition"


class LexSort(Op):
    """The indices that sort by several keys along `axis`: by the last one of `xs`, where
    that is equal by the one before, and so on.

    Each (..., n) -> (..., n) int32. Stable. `jnp.lexsort`.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["lexsort"] = "lexsort"
    xs: Tensors
    axis: Int = -1


def _within(
    field: str, place: Any, shape: Sequence[Any], axis: Any
) -> Iterator[Problem]:
    if isinstance(axis, int) and -len(shape) <= axis < len(shape):
        n = shape[axis]
        if isinstance(place, int) and isinstance(n, int) and not -n <= place < n:
            yield Problem.expected(field, f"an index of an axis of {n}", place)
