"""Loops that end when a condition says so."""

from __future__ import annotations

from typing import Any

from ...regions import free
from ...trace import Size, Step, Value
from ...views import View
from ..fixed import every, fixed, wanted_of, written
from ..functions import Function, given_of, known_of
from ..internals import SYMBOLIC_ERRORS, JaxprEqn
from ..liveness import looped, only
from ..loops import Carries, bound
from ..lower import Lowering, rule
from ..slices import Slices


@rule("while")
def while_(lower: Lowering, equation: JaxprEqn) -> list[View]:
    """A loop that counts to a known number is a `scan`."""
    params = equation.params
    wanted = wanted_of(lower, equation)
    outputs, used = looped(params, wanted)
    given, known = given_of(lower, equation, used), known_of(lower, equation)
    asked, own = params["cond_nconsts"], params["body_nconsts"]
    condition = Function(lower, params["cond_jaxpr"], "loop_cond")
    condition.given = {i: view for i, view in given.items() if i < asked}
    condition.known = {i: array for i, array in known.items() if i < asked}
    function = Function(lower, params["body_jaxpr"], "loop_body")
    inner = range(asked, asked + own)
    function.given = {i - asked: given[i] for i in inner if i in given}
    function.known = {i - asked: known[i] for i in inner if i in known}
    starts = {i: given[asked + own + i] for i in sorted(outputs)}
    carries = Carries(function, own, starts)
    length = _length(carries, condition, asked)
    lanes = bool(params["cond_jaxpr"].out_avals[0].shape)
    carries.settle(length, wanted, counting=not lanes)
    if length is not None and carries.step is not None:
        function.role = "step"
        slices = Slices(function, 0, {})
        attributes = {"length": length}
        return fixed(equation, carries, slices, set(), length, "scan", attributes)
    for i in carries.starts:
        condition.given[asked + i] = carries.seen(condition, i)
    condition.run({0})
    function.run({*carries.inner})
    if lanes:
        _stop_lanes(carries, condition, asked)
    return _until(equation, carries, condition)


def _length(carries: Carries, condition: Function, asked: int) -> Size | None:
    """The number of steps of a loop that counts to a number; None of another.

    Args:
        asked: how many inputs of the condition are no carries.
    """
    found = bound(condition.flat)
    function, variables = carries.function, condition.closed.jaxpr.invars
    if found is None or found[0] not in variables[asked:]:
        return None
    low, high = variables.index(found[0]) - asked, found[1]
    start = carries.starts[low]
    if not carries.counts(low):
        return None
    tried = Function(function.lower, condition.closed, "", dict(condition.given))
    tried.known = condition.known
    for i, view in carries.starts.items():
        if carries.stays(i):
            tried.given[asked + i] = view
        else:
            aval: Any = variables[asked + i].aval
            tried.value(asked + i, aval.shape, str(aval.dtype), "carry")
    tried.run({0})
    end = tried.child.read(high)
    return _difference(end.source, start.source) if end.is_number else None


def _difference(end: Any, start: Any) -> Size | None:
    """The steps from one number to another; None where that may be below 0 for some
    sizes."""
    steps = end - start
    if isinstance(steps, int):
        return max(steps, 0)
    try:
        return steps if steps >= 0 else None
    except SYMBOLIC_ERRORS:
        return None


def _stop_lanes(carries: Carries, condition: Function, asked: int) -> None:
    """Of a condition for each lane: a loop runs while one of them holds, and lanes that
    are done stay as they are."""
    function, child = carries.function, carries.function.child
    variables = condition.closed.jaxpr.invars
    given = {variables[i]: view for i, view in condition.given.items()}
    given |= {variables[asked + i]: carries.seen(function, i) for i in carries.starts}
    child.known |= {variables[i]: array for i, array in condition.known.items()}
    (going,) = child.run(only(condition.flat, {0}), given)
    assert going is not None
    for i, value in carries.inner.items():
        chosen = {
            "condition": going.broadcast(value.shape, range(going.ndim)),
            "a": function.found[i],
            "b": View.of(value),
        }
        function.found[i] = child.elementwise("where", chosen, value.shape, value.dtype)
    lanes = {"x": condition.child.array(condition.found[0])}
    condition.found[0] = condition.child.emit(
        "any", lanes, {"axis": list(range(going.ndim))}, (), "bool"
    )


def _until(equation: JaxprEqn, carries: Carries, condition: Function) -> list[View]:
    """The step of a loop whose functions are lowered."""
    function = carries.function
    names = {i: function.inputs[v] for i, v in carries.inner.items()}
    body = function.region({n: function.array(i) for i, n in names.items()})
    asks = condition.region({"out": condition.array(0)})
    needs = {*free(asks)}
    asks.inputs = {v: n for v, n in function.inputs.items() if v in needs}
    made = [Value(v.shape, v.dtype) for v in carries.inner.values()]
    operands: dict[str, Any] = {"carry": carries.operands}
    if carries.step is not None:
        operands["step"] = function.inputs[carries.step]
    regions = {"cond": asks, "body": body}
    step = Step("while_loop", operands, {}, made, (*names.values(),), functions=regions)
    written(function.lower, step)
    views = carries.outer | dict(zip(names, map(View.of, made), strict=True))
    return every(equation, views)
