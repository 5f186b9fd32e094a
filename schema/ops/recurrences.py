"""Recurrences that are linear, so that all of their steps may be taken at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from ..deferred import Op
from ..fields import Int, OptionalTensor, Tensor
from ..problems import Problem
from .indexing import axes_of


class LinearRecurrence(Op):
    """`y[t] = a[t] * y[t - 1] + b[t]` along `axis`, from `initial` on, or from 0.

    a, b (..., time, n), initial (..., n) -> (..., time, n) for axis -2; a, b and initial
    broadcast. With `reverse` it is `a[t] * y[t + 1] + b[t]`, from the end. All steps are
    taken by `jax.lax.associative_scan`, in log(time) rounds and in float32 at least; one
    after the other where the size of the axis is a symbol of `jax.export`. State space
    models: arXiv:2208.04933 (S5), arXiv:2312.00752 (Mamba).
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ("b",)
    ALSO: ClassVar[tuple[str, ...]] = ("selective_scan",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["linear_recurrence"] = "linear_recurrence"
    a: Tensor
    b: Tensor
    initial: OptionalTensor = None
    axis: Int
    reverse: bool = False

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        yield from axes_of(max(len(shapes["a"]), len(shapes["b"])), [self.axis])
