"""Loops of a known number of steps, as steps of blox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..bodies import adopt
from ..regions import fresh
from ..trace import Size, Step, Value
from ..views import View
from .internals import JaxprEqn
from .loops import Carries
from .lower import Lowering, output_of
from .slices import Slices, Stack


def fixed(
    equation: JaxprEqn,
    carries: Carries,
    slices: Slices,
    ys: set[int],
    length: Size,
    op: str,
    attributes: dict[str, Any],
) -> list[View]:
    """A loop of a known number of steps."""
    function = carries.function
    function.run({*carries.inner, *ys})
    ys -= slices.assigned()
    names = {i: function.inputs[v] for i, v in carries.inner.items()}
    inner = {names[i]: function.array(i) for i in names}
    made = [Value(v.shape, v.dtype) for v in carries.inner.values()]
    views = dict(carries.outer)
    views |= dict(zip(names, map(View.of, made), strict=True))
    for i in sorted(ys):
        found = function.found[i]
        if found.is_number:
            shape = (length, *found.shape)
            views[i] = View.filled(found.source, shape, found.dtype)  # type: ignore[arg-type]
            continue
        stack = Stack.of(function, i, length)
        outer, views[i] = stack.outer(slices.axis)
        made.append(outer)
        wanted = "y" if len(ys) == 1 else f"y_{len(inner) - len(names)}"
        inner[fresh({*inner, *function.inputs.values()}, wanted)] = stack.inner
    operands: dict[str, Any] = {"carry": carries.operands, "slices": slices.operands}
    operands = {group: given for group, given in operands.items() if given}
    if carries.step is not None:
        operands["step"] = function.inputs[carries.step]
    region = function.region(inner)
    step = Step(
        op,
        operands,
        attributes,
        made,
        tuple(inner),
        functions={"function": region},
    )
    written(function.lower, step)
    return every(equation, views)


def wanted_of(lower: Lowering, equation: JaxprEqn) -> set[int]:
    """The outputs that something uses."""
    return {i for i, v in enumerate(equation.outvars) if v in lower.needed}


def written(lower: Lowering, step: Step) -> None:
    """Writes a step that runs functions."""
    step.line = lower.line
    adopt(step)
    lower.items.append(step)


def every(equation: JaxprEqn, views: Mapping[int, View]) -> list[View]:
    """A View of each output; what nothing uses is nothing."""
    found = []
    for i in range(len(equation.outvars)):
        shape, dtype = output_of(equation, i)
        found.append(views.get(i) or View.of(Value(shape, dtype)))
    return found
