"""Mixture of experts: kernels of which each row of an array takes one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from ..deferred import Op, ParamOp
from ..fields import Float, OptionalSize, ParamSlot, Size, SizeOf, Tensor
from ..initializers import STACKED_LECUN_NORMAL, ZEROS
from ..parameters import Leaf
from ..problems import Problem


class RaggedDot(Op):
    """The rows of each group times the matrix of that group: `jax.lax.ragged_dot`.

    lhs (..., rows, k), rhs (groups, k, n), group_sizes (..., groups) integer ->
    (..., rows, n). The first `group_sizes[0]` rows are of group 0, those behind it of
    group 1, and so on; rows behind the last group give 0.

    With `method` `blocks` it runs over blocks of rows of one group each, which groups fill
    up, at most half as much again as one matrix for all rows costs, on every platform.
    `ragged_dot` is JAX's own: made for TPUs, and GPUs with Triton; on CPUs it multiplies all
    rows by all matrices, and `jax.vmap` has no rule for it where matrices are shared. The
    numbers are the same, but for rounding.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    ALSO: ClassVar[tuple[str, ...]] = ("grouped_matmul", "gmm", "megablox")
    COUNTED: ClassVar[Mapping[str, Any]] = {"method": "ragged_dot"}

    op: Literal["ragged_dot"] = "ragged_dot"
    lhs: Tensor
    rhs: Tensor
    group_sizes: Tensor
    method: Literal["blocks", "ragged_dot"] = "blocks"

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        rhs = shapes.get("rhs", ())
        if rhs and rhs[0] == 0:
            yield Problem.expected("rhs", "at least one matrix", 0)


class ExpertLinear(ParamOp):
    """A linear map of the last axis by one of several kernels, which each row chooses.

    `y = x @ kernel[expert] + bias[expert]`: x (..., in_features), expert (...) integer,
    whose axes are broadcast against those of x before the last -> (..., out_features);
    kernel (experts, in_features, out_features), bias (experts, out_features). An expert out
    of range is clamped.

    Rows are sorted by their expert and multiplied as by the op `ragged_dot` of `method`: it
    costs what the chosen experts cost, however rows are shared out. Nothing is dropped.
    Shazeer et al.,
    arXiv:1701.06538; Gale et al., arXiv:2211.15841.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    ALSO: ClassVar[tuple[str, ...]] = ("experts",)
    COUNTED: ClassVar[Mapping[str, Any]] = {"method": "ragged_dot"}

    op: Literal["expert_linear"] = "expert_linear"
    x: Tensor
    expert: Tensor
    kernel: ParamSlot = None
    bias: ParamSlot = None
    experts: Size
    in_features: Annotated[OptionalSize, SizeOf("x")] = None
    out_features: Annotated[OptionalSize, SizeOf("out")] = None
    use_bias: bool = True
    method: Literal["blocks", "ragged_dot"] = "blocks"

    def parameters(self) -> dict[str, Leaf]:
        shape = (self.experts, self.in_features, self.out_features)
        leaves = {"kernel": Leaf(shape, STACKED_LECUN_NORMAL)}
        if self.use_bias:
            leaves["bias"] = Leaf((self.experts, self.out_features), ZEROS)
        return leaves

    def channels(self) -> dict[str, tuple[int, ...]]:
        return {"kernel": (0, -1)}

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.experts, int) and self.experts < 1:
            yield Problem.expected("experts", "at least 1", self.experts)


class WithinCapacity(Op):
    """Which choices of experts find room there, and how many of each do not.

    chosen (..., top_k) integer, the choices of each row, the best one first -> `kept`
    (..., top_k) bool, `dropped` (experts,) int32. An expert has room for `ceil(capacity *
    rows * top_k / experts)` choices, so that with `capacity` 1 all would fit if they were
    shared out evenly. The first choices of all rows take theirs in the order of the rows,
    then the second ones, and so on. All leading axes are rows of one group; an expert out of
    range is clamped. Lepikhin et al., arXiv:2006.16668 (GShard); Fedus et al.,
    arXiv:2101.03961 (Switch Transformer, `top_k` 1).
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    OUTPUTS: ClassVar[tuple[str, ...]] = ("kept", "dropped")
    ALSO: ClassVar[tuple[str, ...]] = ("expert_capacity", "capacity_factor")

    op: Literal["within_capacity"] = "within_capacity"
    chosen: Tensor
    experts: Size
    capacity: Float

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.experts, int) and self.experts < 1:
            yield Problem.expected("experts", "at least 1", self.experts)
        if isinstance(self.capacity, (int, float)) and self.capacity <= 0:
            yield Problem.expected("capacity", "a number above 0", self.capacity)
