"""Loops and branches stay what they are: scan, for, vmap, cond, while_loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..schema.ops.control import Call, Cond, Map, Repeat, Scan, WhileLoop
from ..schema.program import Step
from .branch import Branch
from .calls import write_call
from .mapped import Mapped
from .scanned import Scanned
from .unrolled import Unrolled
from .while_loop import While

if TYPE_CHECKING:
    from .writer import FunctionWriter


def write_control(writer: FunctionWriter, step: Step) -> None:
    """Writes a node that runs functions."""
    if isinstance(step.op, Call):
        write_call(writer, step)
        return
    writer.flush()
    match step.op:
        case Repeat(scan=False):
            Unrolled(writer, step).write()
        case Repeat() | Scan():
            Scanned(writer, step).write()
        case Map():
            Mapped(writer, step).write()
        case Cond():
            Branch(writer, step).write()
        case WhileLoop():
            While(writer, step).write()
