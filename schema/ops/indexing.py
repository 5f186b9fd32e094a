"""Parts of an array: static indices, gathered ones, slices at a computed place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from ..deferred import Op
from ..expressions import ExpressionError, names
from ..fields import Indexing, Int, Size, Tensor, Tensors
from ..problems import Problem

Bound: TypeAlias = int | str | None
"""A part of a slice; an expression where it is text."""
Part: TypeAlias = "int | str | tuple[Bound, Bound, Bound] | None"
"""An integer, an expression, `...`, None, or the three bounds of a slice."""

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_AT = r"^[A-Za-z0-9_ .+\-*/%()$:,]+$"


def index_parts(text: str) -> tuple[Part, ...]:
    """The parts of an index such as `..., ::2, 1:, $n - 1, None`; nothing is evaluated.

    Raises:
        ExpressionError: naming the part that is none.
    """
    if len(text) > 256:
        raise ExpressionError("expected an index of at most 256 characters")
    parts = tuple(_part(part.strip()) for part in _divided(text))
    if parts.count("...") > 1:
        raise ExpressionError("expected `...` once, found it twice")
    return parts


def _divided(text: str) -> Iterator[str]:
    """What stands between the commas, but for those in parentheses: `$min(n, 8)`."""
    start = depth = 0
    for at, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == "," and depth <= 0:
            yield text[start:at]
            start = at + 1
    yield text[start:]


def _part(text: str) -> Part:
    if text == "...":
        return "..."
    if text == "None":
        return None
    if ":" not in text:
        bound = _bound(text)
        if bound is None:
            raise ExpressionError("expected an index, a slice, `...` or None")
        return bound
    bounds = [_bound(t.strip()) for t in text.split(":")]
    if len(bounds) > 3:
        raise ExpressionError("expected a slice such as `start:stop:step`")
    start, stop, step = (*bounds, None)[:3]
    return start, stop, step


def _bound(text: str) -> Bound:
    if not text:
        return None
    if text.startswith("$"):
        names(text)
        return text
    if not _INTEGER.fullmatch(text):
        raise ExpressionError(
            "expected integers, `$name`, slices, `...` and None, divided by commas"
        )
    return int(text)


def _at(value: Any) -> Any:
    if not isinstance(value, str):
        raise PydanticCustomError("index", "expected an index such as `..., 0, 1:`")
    try:
        index_parts(value)
    except ExpressionError as error:
        raise PydanticCustomError("index", "{why}", {"why": str(error)}) from None
    return value


At = Annotated[
    str,
    PlainValidator(_at),
    WithJsonSchema({"type": "string", "pattern": _AT, "maxLength": 256}),
]


class Index(Op):
    """`x[at]` for an index of integers, slices, `...` and None, as in Python.

    `at` is text, such as `..., ::2, 1:, :`; `$name` and expressions may stand for the
    integers: `$n - 1`. (...) -> what the index leaves.
    """

    COMPLEX: ClassVar[bool] = True
    ALSO: ClassVar[tuple[str, ...]] = (
        "slice",
        "slice_in_dim",
        "index_in_dim",
        "unstack",
    )

    op: Literal["index"] = "index"
    x: Tensor
    at: Annotated[At, Indexing()]

    def expressions(self) -> Iterator[tuple[str, str]]:
        yield from super().expressions()
        for part in index_parts(self.at) if isinstance(self.at, str) else self.at:
            for bound in part if isinstance(part, (tuple, list)) else (part,):
                if isinstance(bound, str) and bound != "...":
                    yield "at", bound

    def resolve(self, values: Mapping[str, Any], *, partial: bool = False) -> Op:
        """With `at` as a list of its parts, a slice being a list of three bounds."""
        if not isinstance(self.at, str):
            return super().resolve(values, partial=partial)
        parts = [list(p) if isinstance(p, tuple) else p for p in index_parts(self.at)]
        op = self.unchecked_copy(at=parts)
        return op.resolve(values, partial=partial)

    def problems(self) -> Iterator[Problem]:
        parts = index_parts(self.at) if isinstance(self.at, str) else self.at
        if any(isinstance(p, (list, tuple)) and p[2] == 0 for p in parts):
            yield Problem("at", "expected a step other than 0, found 0")


class Take(Op):
    """The elements `indices` of x along `axis`.

    x (..., n) and indices (i...) -> (..., i...) for axis -1. An index out of range is
    clamped, one below 0 to 0 (`clip`); gives NaN or the least integer, -1 being the last
    element (`fill`); or counts on from the other end (`wrap`). `jnp.take`.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("index_select",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["take"] = "take"
    x: Tensor
    indices: Tensor
    axis: Int
    mode: Literal["clip", "fill", "wrap"] = "clip"


class TakeAlongAxis(Op):
    """`y[..., i, ...] = x[..., indices[..., i, ...], ...]` along `axis`.

    x (..., n), indices (..., m) -> (..., m) for axis -1. -1 is the last element; an index
    out of range is clamped (`clip`), or gives NaN or the least integer (`fill`).
    """

    ALSO: ClassVar[tuple[str, ...]] = ("take_along_dim", "gather_elements")
    COMPLEX: ClassVar[bool] = True

    op: Literal["take_along_axis"] = "take_along_axis"
    x: Tensor
    indices: Tensor
    axis: Int
    mode: Literal["clip", "fill"] = "clip"


class Choose(Op):
    """Element by element the one of `choices` that `which` says: 0 is the first.

    which (...) integer, choices of (...) -> (...); all broadcast. A number out of range is
    clamped (`clip`), or counts on from the other end (`wrap`). `jnp.choose`.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    ALSO: ClassVar[tuple[str, ...]] = ("select_n",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["choose"] = "choose"
    which: Tensor
    choices: Tensors
    mode: Literal["clip", "wrap"] = "clip"


class DynamicSlice(Op):
    """`size` elements of x from `start` along each axis of `axis`, all of the others.

    x (..., n), a scalar start -> (..., size) for axis [-1]. `start`, `size` and `axis`
    have one item for each axis that is cut; a start is moved so that the slice lies
    within x.
    """

    COMPLEX: ClassVar[bool] = True
    ALSO: ClassVar[tuple[str, ...]] = ("dynamic_slice_in_dim", "dynamic_index_in_dim")

    op: Literal["dynamic_slice"] = "dynamic_slice"
    x: Tensor
    start: Tensors
    size: list[Size]
    axis: list[Int]

    def problems(self) -> Iterator[Problem]:
        yield from one_an_axis(self.axis, start=self.start, size=self.size)

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        yield from axes_of(len(shapes["x"]), self.axis)


class DynamicUpdateSlice(Op):
    """x with `update` in place of its elements from `start` along each axis of `axis`.

    x (..., n), update (..., m), a scalar start -> (..., n) for axis [-1]; the other axes
    of update are those of x. `start` and `axis` have one item for each axis; a start is
    moved so that the update lies within x.
    """

    REJOINS: ClassVar[bool] = True
    COMPLEX: ClassVar[bool] = True
    ALSO: ClassVar[tuple[str, ...]] = (
        "dynamic_update_slice_in_dim",
        "dynamic_update_index_in_dim",
    )

    op: Literal["dynamic_update_slice"] = "dynamic_update_slice"
    x: Tensor
    update: Tensor
    start: Tensors
    axis: list[Int]

    def problems(self) -> Iterator[Problem]:
        yield from one_an_axis(self.axis, start=self.start)

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        x, update = shapes["x"], shapes["update"]
        yield from axes_of(len(x), self.axis)
        if len(update) != len(x):
            yield Problem("update", f"expected {len(x)} axes, found {len(update)}")
            return
        written = {a % len(x) for a in self.axis if isinstance(a, int) and len(x)}
        for axis, (size, found) in enumerate(zip(x, update, strict=True)):
            if axis not in written and size != found:
                yield Problem(
                    "update",
                    f"expected size {size} of axis {axis}, as x has, found {found}",
                )


def one_an_axis(axes: Sequence[Any], **lists: Sequence[Any]) -> Iterator[Problem]:
    """Problems of lists that have an item for each axis."""
    for field, items in lists.items():
        if len(items) != len(axes):
            found = len(items)
            yield Problem.expected(field, f"{len(axes)}, one for each axis", found)
    known = [a for a in axes if isinstance(a, int)]
    if len(set(known)) != len(known):
        yield Problem.expected("axis", "each axis once", list(axes))


def axes_of(rank: int, axes: Sequence[Any]) -> Iterator[Problem]:
    """Problems of axes that x doesn't have, or that are one and the same."""
    known = [a for a in axes if isinstance(a, int)]
    if outside := [a for a in known if not -rank <= a < rank]:
        yield Problem.expected("axis", f"axes of x, which has {rank}", outside[0])
    elif len({a % rank for a in known}) != len(known):
        yield Problem.expected("axis", f"each of {rank} axes once", list(axes)[:8])
