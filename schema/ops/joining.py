"""Arrays joined, and parts of one. Axes may be negative throughout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import model_validator

from ..deferred import Op
from ..fields import Filled, Int, Size, SizeOf, Tensor, Tensors
from ..names import Name
from ..problems import Problem


class Concatenate(Op):
    """The arrays one after another along `axis`. (..., a), (..., b) -> (..., a + b)."""

    ALSO: ClassVar[tuple[str, ...]] = (
        "concat",
        "cat",
        "append",
        "hstack",
        "vstack",
        "block",
    )
    COMPLEX: ClassVar[bool] = True

    op: Literal["concatenate"] = "concatenate"
    xs: Tensors
    axis: Int = 0


class Stack(Op):
    """The arrays along a new `axis`. n of (...) -> (n, ...) for axis 0."""

    COMPLEX: ClassVar[bool] = True
    ALSO: ClassVar[tuple[str, ...]] = ("column_stack", "dstack")

    op: Literal["stack"] = "stack"
    xs: Tensors
    axis: Int = 0


class Split(Op):
    """Parts of x along `axis`, one for each of `names`: the outputs `node.name`.

    `sections` is the size of each part, or a number of equal parts; where it is not
    given there are as many equal parts as names.
    (..., 3 * n) -> (..., n), (..., n), (..., n) for axis -1.
    """

    ALSO: ClassVar[tuple[str, ...]] = (
        "chunk",
        "array_split",
        "hsplit",
        "vsplit",
        "dsplit",
    )
    COMPLEX: ClassVar[bool] = True
    PARTS: ClassVar[str] = "sections"

    op: Literal["split"] = "split"
    x: Tensor
    names: list[Name]
    sections: Annotated[Size | list[Size], Filled(), SizeOf("out", "axis", each=True)]
    axis: Int

    @model_validator(mode="before")
    @classmethod
    def _as_many_as_names(cls, data: Any) -> Any:
        match data:
            case {"names": [_, *_] as names} if data.get("sections") is None:
                return {**data, "sections": len(names)}
        return data

    def outputs(self) -> tuple[str, ...]:
        return tuple(self.names)

    def problems(self) -> Iterator[Problem]:
        parts = self.sections
        count = len(parts) if isinstance(parts, list) else parts
        if not self.names or len(set(self.names)) != len(self.names):
            yield Problem("names", "expected at least one name, each once")
        elif isinstance(count, int) and count != len(self.names):
            yield Problem.expected(
                "names", f"{count}, one for each part", len(self.names)
            )
