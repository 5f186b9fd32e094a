"""Calls and branches: nodes that run functions of the Graph once."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from ..callee import Callee
from ..deferred import ScopeOp
from ..fields import Scalar, Tensor, TensorMap
from ..names import Name

Remat = Literal[
    "everything_saveable",
    "nothing_saveable",
    "dots_saveable",
    "dots_with_no_batch_dims_saveable",
]
"""The names of `jax.checkpoint_policies`; `nothing_saveable` is plain checkpointing."""

Attributes = dict[Name, Scalar]


class Call(ScopeOp):
    """The outputs of a function, with parameters of its own under the node's name.

    Shapes are those of the function.
    """

    CONTROL: ClassVar[str] = "call"
    ALSO: ClassVar[tuple[str, ...]] = ("sequential", "remat")

    op: Literal["call"] = "call"
    function: Name
    inputs: TensorMap = {}
    attributes: Attributes = {}
    remat: Remat | None = None

    def callees(self) -> tuple[Callee, ...]:
        return (Callee("function", self.function, hands_on=True),)


class Cond(ScopeOp):
    """`jax.lax.cond`: the outputs of `then` where the scalar `predicate` holds, else
    those of `else`.

    Both take `inputs` and return outputs of the same names, shapes and dtypes; their
    parameters lie under `node.then` and `node.else`.
    """

    CONTROL: ClassVar[str] = "cond"
    ALSO: ClassVar[tuple[str, ...]] = ("if_else",)

    op: Literal["cond"] = "cond"
    predicate: Tensor
    then: Name
    otherwise: Name = Field(alias="else")
    inputs: TensorMap = {}

    def callees(self) -> tuple[Callee, ...]:
        return (
            Callee("then", self.then, role="then", returns="the same"),
            Callee("else", self.otherwise, role="else", returns="the same"),
        )


class Switch(ScopeOp):
    """`jax.lax.switch`: the outputs of the branch that the scalar integer `index` picks,
    of the first or the last one where it lies outside.

    All take `inputs` and return outputs of the same names, shapes and dtypes; their
    parameters lie under `node.branch_0`, `node.branch_1`, ...
    """

    CONTROL: ClassVar[str] = "switch"
    ALSO: ClassVar[tuple[str, ...]] = ("case",)

    op: Literal["switch"] = "switch"
    index: Tensor
    branches: list[Name] = Field(min_length=1, max_length=1024)
    inputs: TensorMap = {}

    def callees(self) -> tuple[Callee, ...]:
        return tuple(
            Callee(f"branches.{i}", name, role=f"branch_{i}", returns="the same")
            for i, name in enumerate(self.branches)
        )
