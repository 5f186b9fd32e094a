"""Arrays of the model as nodes: the node's name is the leaf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import model_validator

from ..deferred import Op, ParamOp
from ..dtypes import INEXACT, DType, StoredDType
from ..fields import Filled, ShapeOf, Size, Tensor, Timing
from ..initializers import ZEROS, Normal
from ..literals import LiteralArray, literal_dtype, literal_problems
from ..parameters import Leaf
from ..problems import Problem


class Param(ParamOp):
    """A trainable array of `shape`: () -> shape."""

    ALSO: ClassVar[tuple[str, ...]] = ("parameter", "variable")
    COMPLEX: ClassVar[bool] = True

    op: Literal["param"] = "param"
    shape: Annotated[list[Size], ShapeOf()]
    dtype: StoredDType = "float"

    def parameters(self) -> dict[str, Leaf]:
        init = Normal(stddev=0.02) if self.dtype in INEXACT else ZEROS
        return {"": Leaf(tuple(self.shape), init, dtype=self.dtype)}


class Buffer(ParamOp):
    """An array of `shape` that is loaded and never trained: () -> shape."""

    ALSO: ClassVar[tuple[str, ...]] = ("register_buffer",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["buffer"] = "buffer"
    shape: Annotated[list[Size], ShapeOf()]
    dtype: StoredDType = "float"

    def parameters(self) -> dict[str, Leaf]:
        leaf = Leaf(tuple(self.shape), ZEROS, dtype=self.dtype, kind="buffer")
        return {"": leaf}


class State(ParamOp):
    """An array that calls read, and `assign` updates: () -> shape.

    Its value is that at the entry of the function: an `assign` gives the new one, which
    later calls see. It begins with 0, or with what `init` says. Of float32, unless `dtype`
    says otherwise: in bfloat16 an average would stop moving.
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["state"] = "state"
    shape: Annotated[list[Size], ShapeOf()]
    dtype: StoredDType = "float32"

    def parameters(self) -> dict[str, Leaf]:
        return {"": Leaf(tuple(self.shape), ZEROS, (), self.dtype, "state", "never")}


_RANKS = ("bool", "uint", "int", "bfloat", "float", "complex")
"""The kinds of dtypes: values of one fit into those behind it."""


class Assign(Op):
    """`x` as the next value of the node of state `to`: (shape), (shape) -> shape.

    x has the shape of the state and gets its dtype; floats fit into no integers. What it
    gives is x, and the last `assign` in the order of the program is what the next call
    reads. With `training` it happens only when training; else it gives the value of `to`,
    which stays.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ("x",)
    ASSIGNS: ClassVar[str] = "to"
    ALSO: ClassVar[tuple[str, ...]] = ("update", "set_state")
    COMPLEX: ClassVar[bool] = True

    op: Literal["assign"] = "assign"
    to: Tensor
    x: Tensor
    training: Annotated[bool, Timing()] = False

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        wanted, found = list(shapes["to"]), list(shapes["x"])
        if wanted != found and all(isinstance(m, int) for m in wanted):
            yield Problem.expected("x", f"the shape of the state, {wanted}", found)

    def dtype_problems(self, dtypes: Mapping[str, str]) -> Iterator[Problem]:
        if _rank(dtypes["x"]) > _rank(dtypes["to"]):
            yield Problem.expected(
                "x", f"what fits into the state's {dtypes['to']}", dtypes["x"]
            )


def _rank(dtype: str) -> int:
    """Of integers and of floats each one, whatever their bits."""
    kind = next(i for i, name in enumerate(_RANKS) if dtype.startswith(name))
    return (0, 1, 1, 2, 2, 3)[kind]


class Constant(Op):
    """A small literal array that stands in the spec: () -> the shape of `value`.

    Numbers that `dtype` can hold, or booleans, in nested lists of equal length; at most
    4096 of them. Without `dtype` the content decides: the model's float, int32 or bool.
    """

    COMPLEX: ClassVar[bool] = True
    ALSO: ClassVar[tuple[str, ...]] = ("array", "asarray")

    op: Literal["constant"] = "constant"
    value: LiteralArray
    dtype: Annotated[DType, Filled()]

    @model_validator(mode="before")
    @classmethod
    def _by_content(cls, data: Any) -> Any:
        if isinstance(data, dict) and "value" in data and data.get("dtype") is None:
            return {**data, "dtype": literal_dtype(data["value"])}
        return data

    def problems(self) -> Iterator[Problem]:
        yield from literal_problems(self.value, self.dtype)
