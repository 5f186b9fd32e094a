"""A scanned repeat: stacked copies, one a step of `jax.lax.scan`."""

from __future__ import annotations

from blox.schema.ops.loops import RepeatScan
from blox.schema.resolve.program import Step

from ..trees import Act
from .base import Compiler, no_copies
from .scan import scanned


def compiled(compiler: Compiler, step: Step, op: RepeatScan) -> Act:
    """The closure of a `repeat` node with `scan`."""
    if step.callee().declared.empty:
        return no_copies(step)
    return scanned(compiler, step, op, length=op.count, stacked=True)
