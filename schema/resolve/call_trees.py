"""What a step that calls functions holds and costs: its leaves, its nodes."""

from __future__ import annotations

from ..diagnostics import Report, quote
from ..op import ScopeOp
from ..ops.control import Cond, Map, Repeat, Scan, WhileLoop
from .program import Step, Tree, stack


def call_tree(step: Step, op: ScopeOp, report: Report) -> Tree:
    """The leaves under a call, from those of the functions that it runs."""
    callees = step.callees
    match op:
        case Repeat(scan=False):
            return [c.tree for c in callees] if any(c.tree for c in callees) else {}
        case Repeat() | Map():
            if op.count is None:
                return callees[0].tree
            if not isinstance(op.count, int):
                report.error(
                    "parameter-size",
                    f"{step.path}.count",
                    f"expected a count that no dim decides, found {quote(op.count)}",
                )
                return {}
            return stack(callees[0].tree, op.count)
        case Cond():
            both = {"then": callees[0].tree, "else": callees[1].tree}
            return {k: v for k, v in both.items() if v}
        case WhileLoop():
            both = {"cond": callees[0].tree, "body": callees[1].tree}
            return {k: v for k, v in both.items() if v}
    return callees[0].tree


def traced(step: Step) -> int:
    """How many nodes a trace visits."""
    return 1 + sum(c.traced for c in step.callees)


def ran(step: Step) -> int:
    """How many nodes a run visits at least."""
    op = step.op
    inner = sum(c.ran for c in step.callees)
    times = 1
    if isinstance(op, Repeat) and op.scan and isinstance(op.count, int):
        times = op.count
    elif isinstance(op, Scan) and isinstance(op.length, int):
        times = op.length
    elif isinstance(op, WhileLoop) and isinstance(op.max_steps, int):
        times = op.max_steps
    elif isinstance(op, Map) and isinstance(op.count, int):
        times = op.count
    return 1 + inner * max(times, 1)
