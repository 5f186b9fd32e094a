"""Loops and branches stay what they are: scan, for, vmap, cond, while_loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...schema.ops.control import Call, Cond, Map, Repeat, Scan, WhileLoop
from ...schema.resolve.program import Step
from .call import write_call
from .cond import Branch
from .map import Mapped
from .repeat_list import Unrolled
from .scan import Scanned
from .while_loop import While

if TYPE_CHECKING:
    from ..emit.function import FunctionWriter


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
