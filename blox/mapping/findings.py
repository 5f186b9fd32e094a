"""What keeps a plan from being carried out: left over, missing, of another shape or dtype."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from blox.schema.diagnostics import Diagnostic
from blox.weights.comparing import differences

from .moves import Described, Plan


def findings(plan: Plan, there: Mapping[str, Described]) -> Iterator[Diagnostic]:
    """What keeps a plan from being carried out with these arrays.

    Args:
        plan: made for their names.
        there: shapes and dtypes of theirs.
    """
    yield from plan.faults
    used = {
        name: array
        for name, array in there.items()
        if name in plan.expected or not plan.ignores(name)
    }
    for found in differences(used, plan.expected):
        yield found if found.hint else replace(found, hint=_hint(plan, found, there))


def _hint(plan: Plan, found: Diagnostic, there: Mapping[str, Described]) -> str:
    name = found.path
    if name not in plan.becomes:  # one that is shown in another form
        return ""
    hint = f"it becomes {plan.becomes[name]}"
    if found.code == "weights-shape":
        shapes = (plan.expected[name].shape, there[name].shape)
        hint += ", by a layout such as Kernel()?" if _same_sizes(*shapes) else ""
    return hint


def _same_sizes(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return len(one) > 1 and sorted(one) == sorted(other)
