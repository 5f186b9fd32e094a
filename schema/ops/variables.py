"""Arrays of the model as nodes: the node's name is the leaf."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import model_validator

from ..deferred import Op, ParamOp
from ..dtypes import INEXACT, DType, StoredDType
from ..fields import Filled, ShapeOf, Size
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


class Constant(Op):
    """A small literal array that stands in the spec: () -> the shape of `value`.

    Numbers that `dtype` can hold, or booleans, in nested lists of equal length; at most
    4096 of them. Without `dtype` the content decides: the model's float, int32 or bool.
    """

    COMPLEX: ClassVar[bool] = True

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
