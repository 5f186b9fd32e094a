"""A scanned repeat: stacked copies, one a step of `jax.lax.scan`."""

from __future__ import annotations

from ...schema.ops.loops import RepeatScan
from ...schema.resolve.program import Step
from ..nodes import literal
from ..writer import Writer
from .base import no_copies
from .scan import EMITS as EMITS
from .scan import Scanned


def write(writer: Writer, step: Step, node: RepeatScan) -> None:
    """Writes a `repeat` node with `scan`."""
    if step.callee().declared.empty:
        no_copies(writer, step)
    else:
        Scanned(writer, step, node, node.count, literal(0), stacked=True).write()
