"""What a function needs of its steps: which are live, which read state just written."""

from __future__ import annotations

from ..diagnostics import Report
from .program import Arg, Step, has_state


def mark_live(steps: list[Step], outputs: dict[str, Arg], report: Report) -> None:
    """A step is live if an output or a live step needs it, or if it has state."""
    needed = {a.source for a in outputs.values()}
    for step in reversed(steps):
        step.live = step.stateful or step.name in needed
        if step.live:
            needed.update(a.source for a in step.arguments())
        else:
            report.warn("unused-node", step.path, "nothing uses this node")


def mark_merges(steps: list[Step]) -> None:
    """A step merges where an earlier one may have written state that it reads."""
    written: set[tuple[str, ...]] = set()
    above: set[tuple[str, ...]] = set()
    for step in steps:
        if not step.tree or not step.live:
            continue
        upwards = [step.scope[:i] for i in range(len(step.scope) + 1)]
        overlaps = step.scope in above or any(s in written for s in upwards)
        step.merges = overlaps and has_state(step.tree)
        if step.stateful:
            written.add(step.scope)
            above.update(upwards)
