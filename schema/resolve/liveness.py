"""What a function needs of its steps: which are live, which read state just written."""

from __future__ import annotations

from collections.abc import Iterable

from ..diagnostics import Report, quote
from ..parameters import Leaf
from .program import Arg, Step
from .trees import has_state


def mark_live(steps: list[Step], outputs: dict[str, Arg], report: Report) -> None:
    """A step is live if an output or a live step needs it, or if it has state."""
    used: dict[str, set[int]] = {}
    named: set[str] = set()

    def use(args: Iterable[Arg]) -> None:
        for arg in args:
            if arg.source is not None:
                used.setdefault(arg.source, set()).add(arg.output)

    use(outputs.values())
    sound = report.ok  # what a fault cuts off is no finding of its own
    for step in reversed(steps):
        step.used = frozenset(used.get(step.name, ()))
        step.live = step.stateful or bool(step.used)
        if step.live:
            use(_read(step))
            named.update(a.source for a in step.arguments() if a.source is not None)
            _check_stacked(step, report)
        elif sound and step.name not in named:
            report.warn("unused-node", step.path, "nothing uses this node")


def _read(step: Step) -> Iterable[Arg]:
    """The arguments of a step that it reads: without a copy, carries that are used."""
    if not any(called.declared.empty for called in step.callees):
        return step.arguments()
    carry = step.group("carry")
    used = (name for i, name in enumerate(step.outputs) if i in step.used)
    return [carry[name] for name in used if name in carry]


def _check_stacked(step: Step, report: Report) -> None:
    """Without a copy there is a carry, but nothing whose shape a stack could have."""
    if not any(called.declared.empty for called in step.callees):
        return
    carry = step.group("carry")
    for i, name in enumerate(step.outputs):
        if i in step.used and name not in carry:
            report.error(
                "argument",
                step.path,
                f"expected at least one copy to stack {quote(name)}, found none",
            )


def mark_merges(steps: list[Step]) -> None:
    """A step merges where an earlier one may have written state that it reads."""
    written: set[tuple[str, ...]] = set()
    above: set[tuple[str, ...]] = set()
    for step in steps:
        if not step.live or not (step.tree or step.stateful):
            continue
        upwards = [step.scope[:i] for i in range(len(step.scope) + 1)]
        overlaps = step.scope in above or any(s in written for s in upwards)
        # A node of state reads what there was at the entry.
        reads = overlaps and not isinstance(step.tree, Leaf)
        step.merges = reads and has_state(step.tree)
        if step.stateful:
            written.add(step.scope)
            above.update(upwards)
