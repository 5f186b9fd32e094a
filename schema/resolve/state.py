"""State that nodes update: where it lies, and where it can't be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..diagnostics import Report, quote
from ..op import Op
from ..parameters import Leaf, Updated
from .program import Step


def check_state(step: Step, before: Mapping[str, Step], report: Report) -> None:
    """Ties a step that assigns to its state; refuses state that would be lost.

    Args:
        step: a step, complete but for this.
        before: the steps of its function up to it, by name.
    """
    if step.op.ASSIGNS:
        _assign(step, before, report)
    for called in step.callees:
        if called.declared.keeps_state or not called.instance.stateful:
            continue
        report.error(
            "state-lost",
            step.path,
            f"expected a function that updates no state, as {called.declared.role or 'it'}"
            f" runs in {step.op.op} where none can be kept, found "
            f"{quote(_first(called.instance.steps))} in {called.instance.name}",
            called.declared.instead,
        )


def _assign(step: Step, before: Mapping[str, Step], report: Report) -> None:
    """Marks the array of the state as one that calls change."""
    field = step.op.ASSIGNS
    source = before.get(step.operand(field).source or "") if step.args else None
    tree = None if source is None else source.tree
    if source is None or not isinstance(tree, Leaf) or tree.kind != "state":
        report.error(
            "state-assign",
            f"{step.path}.{field}",
            "expected a node `state` of this function, found "
            + ("an input or a number" if source is None else f"the op {source.op.op}"),
        )
        return
    step.uses_train = acts_in_training(step.op)
    updated: Updated = "training" if step.uses_train else "always"
    strongest = "always" if tree.updated == "always" else updated
    source.tree = replace(tree, updated=strongest)
    step.scope, step.stateful = source.scope, True


def acts_in_training(op: Op) -> bool:
    """True of a node that acts only when training."""
    return any(getattr(op, name) for name in op.fields().timing)


def _first(steps: list[Step]) -> str:
    """The name of the first step that updates state."""
    return next(step.name for step in steps if step.stateful)
