"""Primitives that choose among values, bound them, or round them."""

from __future__ import annotations

from ...views import View
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule
from .elementwise import folded


@rule("select_n")
def select_n(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    which, *cases = map(lower.read, equation.invars)
    if which.is_number and isinstance(which.source, (int, bool)):
        return cases[int(which.source)]
    if all(c.is_number and repr(c.source) == repr(cases[0].source) for c in cases):
        return View.filled(cases[0].source, shape, dtype)  # type: ignore[arg-type]
    chosen = cases[-1]
    for number, case in reversed([*enumerate(cases[:-1])]):
        if which.dtype == "bool":
            operands = {"condition": which, "a": chosen, "b": case}
        else:
            place = View.filled(number, (), which.dtype)
            given = {"a": which, "b": place}
            here = lower.elementwise("equal", given, which.shape, "bool")
            operands = {"condition": here, "a": case, "b": chosen}
        chosen = lower.elementwise("where", operands, shape, dtype)
    return chosen


@rule("clamp")
@folded
def clamp(lower: Lowering, equation: JaxprEqn) -> View:
    """Bounds take half of the gradient in `clip`, and all of it in `lax.clamp`."""
    shape, dtype = output_of(equation)
    low, x, high = map(lower.read, equation.invars)
    clipped = lower.elementwise("clip", {"x": x, "min": low, "max": high}, shape, dtype)
    if "float" not in dtype:
        return clipped
    chosen = lower.elementwise("stop_gradient", {"x": clipped}, shape, dtype)
    inside = lower.elementwise(
        "logical_and",
        {
            "a": lower.elementwise("greater", {"a": x, "b": low}, shape, "bool"),
            "b": lower.elementwise("less", {"a": x, "b": high}, shape, "bool"),
        },
        shape,
        "bool",
    )
    cases = [(inside, x)]
    if not (low.is_number and high.is_number):
        below = lower.elementwise("greater", {"a": low, "b": x}, shape, "bool")
        valid = lower.elementwise("less", {"a": low, "b": high}, shape, "bool")
        operands = {"a": below, "b": valid}
        below = lower.elementwise("logical_and", operands, shape, "bool")
        above = lower.elementwise("less", {"a": high, "b": x}, shape, "bool")
        cases += [(below, low), (above, high)]
    for condition, case in cases:
        operands = {"condition": condition, "a": case, "b": chosen}
        chosen = lower.elementwise("where", operands, shape, dtype)
    return chosen


@rule("round")
@folded
def round_(lower: Lowering, equation: JaxprEqn) -> View:
    """To the nearest integer; from the middle away from 0, or to the even one."""
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    if int(equation.params["rounding_method"]) == 1:
        return lower.elementwise("round", {"x": x}, shape, dtype)
    whole = lower.elementwise("trunc", {"x": x}, shape, dtype)
    rest = lower.elementwise("subtract", {"a": x, "b": whole}, shape, dtype)
    size = lower.elementwise("abs", {"x": rest}, shape, dtype)
    half = View.filled(0.5, (), dtype)
    far = lower.elementwise("greater_equal", {"a": size, "b": half}, shape, "bool")
    sign = lower.elementwise("sign", {"x": x}, shape, dtype)
    next_one = lower.elementwise("add", {"a": whole, "b": sign}, shape, dtype)
    operands = {"condition": far, "a": next_one, "b": whole}
    return lower.elementwise("where", operands, shape, dtype)
