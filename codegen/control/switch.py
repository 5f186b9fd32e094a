"""`jax.lax.switch` of functions without operands, of which one runs."""

from __future__ import annotations

import ast

from ...schema.ops.control import Switch
from ...schema.resolve.program import Step
from ..nodes import call
from ..writer import Writer
from .cond import BRANCHES, Branches

EMITS = (*BRANCHES, "jax.lax.switch")


def write(writer: Writer, step: Step, node: Switch) -> None:
    """Writes a `switch` node."""
    switch = Branches(writer, step, node)
    index = writer.atom(step.operand("index"))
    switch.finish(call("jax.lax.switch", [index, ast.List(switch.branches())]))
