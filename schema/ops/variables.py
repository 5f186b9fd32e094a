"""Arrays of the model as nodes: the node's name is the leaf."""

from __future__ import annotations

from typing import Any, Literal

from ..fields import Size
from ..op import Op, ParamOp
from ..parameters import DType, Leaf, Normal, Zeros


class Param(ParamOp):
    """A trainable array of `shape`: () -> shape."""

    op: Literal["param"] = "param"
    shape: list[Size]
    dtype: DType = "float"

    def parameters(self) -> dict[str, Leaf]:
        return {"": Leaf(tuple(self.shape), Normal(stddev=0.02), dtype=self.dtype)}


class Buffer(ParamOp):
    """An array of `shape` that is loaded and never trained: () -> shape."""

    op: Literal["buffer"] = "buffer"
    shape: list[Size]
    dtype: DType = "float"

    def parameters(self) -> dict[str, Leaf]:
        leaf = Leaf(tuple(self.shape), Zeros(), dtype=self.dtype, kind="buffer")
        return {"": leaf}


class Constant(Op):
    """A small literal array that stands in the spec: () -> the shape of `value`."""

    op: Literal["constant"] = "constant"
    value: Any
    dtype: DType = "float32"
