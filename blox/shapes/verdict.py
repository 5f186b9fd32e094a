"""What the faults of one node say together: those of symbolic sizes and of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from .faults import Fault
from .samples import Sizes

Severity = Literal["error", "warning"]


UNTRIED = Fault(
    "shape-undecided",
    "expected sizes within the bounds of dims and constraints, found none to try",
    "the search is short: it may have missed some",
)


def verdict(
    symbolic: Fault | None, samples: Mapping[int, Fault], cases: Sequence[Sizes] | None
) -> tuple[Severity, Fault] | None:
    """An error where some sizes are refused; a warning where JAX alone can't decide.

    Args:
        symbolic: the fault over symbolic sizes, or over the only ones there are.
        samples: faults by the number of the case that was tried.
        cases: the sizes that were tried; None where nothing is open.
    """
    if symbolic is None and 0 not in samples:
        return None  # the others are tried to understand a fault, not to find one
    if not samples:
        assert symbolic is not None
        if cases is None:
            return "error", symbolic
        held = "; ".join(str(case) for case in cases)
        hint = f"it holds at {held}; bounds in dims help to decide"
        if not cases:
            hint = "found no sizes within the bounds of dims and constraints to try"
        text = f"can't be decided for all sizes: {symbolic.message}"
        return "warning", Fault("shape-undecided", text, hint, field=symbolic.field)
    cases = cases or ()
    at, fault = min(samples.items())
    passing = [case for i, case in enumerate(cases) if i not in samples]
    if not passing and symbolic is not None and symbolic.decided:
        return "error", symbolic
    if passing and str(passing[0]):
        hint = (
            f"it holds at {passing[0]}: say in dims (min, max, multiple_of) or "
            "constraints which sizes are meant"
        )
        fault = replace(fault, hint=hint)
    where = f" at {cases[at]}" if str(cases[at]) else ""
    return "error", replace(fault, message=fault.message + where)
