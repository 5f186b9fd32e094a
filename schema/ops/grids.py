"""Grids and places in them: coordinates of all elements, indices of one axis or several."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar, Literal

from ..deferred import Op
from ..dtypes import DType
from ..fields import Size, Tensor, Tensors
from ..names import Name
from ..problems import Problem, too_many

MAX_AXES = 32


class Indices(Op):
    """The index of each element of an array of the sizes `dimensions`, axis by axis.

    () -> (n, dimensions...) for n sizes: `y[i]` counts along axis i. `jnp.indices`.
    """

    op: Literal["indices"] = "indices"
    dimensions: list[Size]
    dtype: DType = "int32"

    def problems(self) -> Iterator[Problem]:
        if not 1 <= len(self.dimensions) < MAX_AXES:
            yield Problem.expected("dimensions", "1 to 31 sizes", len(self.dimensions))
        yield from too_many("dimensions", [len(self.dimensions), *self.dimensions])


class Meshgrid(Op):
    """The coordinates of a grid, of those along each axis: the outputs `node.name`, one
    for each of `xs`.

    (..., n), (..., m) -> (..., n, m), (..., n, m) for `indexing` `ij`; `xy` has the first
    two axes of the grid in exchange, (..., m, n). `jnp.meshgrid`, for each index of the
    leading axes.
    """

    PARTS: ClassVar[str] = "xs"

    op: Literal["meshgrid"] = "meshgrid"
    xs: Tensors
    names: list[Name]
    indexing: Literal["xy", "ij"]

    def outputs(self) -> tuple[str, ...]:
        return tuple(self.names)

    def problems(self) -> Iterator[Problem]:
        yield from _one_each(self.names, len(self.xs))


class UnravelIndex(Op):
    """Where the elements of an array of the sizes `shape` lie, of their number in row-major
    order: the outputs `node.name`, one for each axis.

    (...) integer -> (...), (...) for two sizes. Numbers below 0 count from the end, others
    beyond the array are those of the nearest element. `jnp.unravel_index`.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    PARTS: ClassVar[str] = "shape"

    op: Literal["unravel_index"] = "unravel_index"
    indices: Tensor
    names: list[Name]
    shape: list[Size]

    def outputs(self) -> tuple[str, ...]:
        return tuple(self.names)

    def problems(self) -> Iterator[Problem]:
        yield from _one_each(self.names, len(self.shape))
        yield from _countable("shape", self.shape)


class RavelMultiIndex(Op):
    """The number in row-major order of the elements at indices `xs`, one for each axis of
    an array of the sizes `dimensions`.

    (...) integer, (...) integer -> (...) for two axes. Indices beyond an axis are clamped
    (`clip`), or begin again (`wrap`). `jnp.ravel_multi_index`.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["ravel_multi_index"] = "ravel_multi_index"
    xs: Tensors
    dimensions: list[Size]
    mode: Literal["clip", "wrap"] = "clip"

    def problems(self) -> Iterator[Problem]:
        if len(self.dimensions) != len(self.xs):
            wanted = f"{len(self.xs)}, one for each of xs"
            yield Problem.expected("dimensions", wanted, len(self.dimensions))
        yield from _countable("dimensions", self.dimensions)


def _one_each(names: list[str], count: int) -> Iterator[Problem]:
    if not names or len(set(names)) != len(names):
        yield Problem("names", "expected at least one name, each once")
    elif len(names) != count:
        yield Problem.expected("names", f"{count} names", len(names))
    elif count >= MAX_AXES:
        yield Problem.expected("names", "at most 31 axes", count)


def _countable(field: str, sizes: list[int]) -> Iterator[Problem]:
    """Numbers of elements are int32."""
    count = math.prod(size for size in sizes if isinstance(size, int))
    if count >= 2**31:
        yield Problem.expected(field, "fewer than 2**31 elements", count)
