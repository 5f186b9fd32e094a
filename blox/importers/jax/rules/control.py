"""Loops and branches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax

from ...bodies import adopt
from ...regions import free, fresh
from ...trace import Region, Size, Step, Value
from ...views import View
from ..flatten import Flat
from ..functions import Function, given_of, known_of
from ..internals import JaxprEqn, plain_size
from ..liveness import body_of, branched, looped, scanned
from ..loops import Carries, bound, counts
from ..lower import Lowering, output_of, rule
from ..slices import Slices, Stack


@rule("scan")
def scan(lower: Lowering, equation: JaxprEqn) -> list[View]:
    """Over stacked arrays of layers it is a `repeat`."""
    params = equation.params
    wanted = _wanted(lower, equation)
    outputs, used = scanned(params, wanted)
    given = given_of(lower, equation, used)
    own, count = params["num_consts"], params["num_carry"]
    function = Function(lower, params["jaxpr"], "step")
    function.given = {i: view for i, view in given.items() if i < own}
    known = known_of(lower, equation)
    function.known = {i: a for i, a in known.items() if i < own}
    length = plain_size(params["length"])
    reverse = bool(params["reverse"])
    starts = {i: given[own + i] for i in sorted(outputs) if i < count}
    carries = Carries(function, own, starts)
    flat = body_of(params["jaxpr"])
    carries.settle(flat, length, wanted, counting=not reverse)
    first = own + count
    xs = {i - first: given[i] for i in sorted(used) if i >= first}
    slices = Slices(function, first, xs)
    ranks = [len(output_of(equation, i)[0]) - 1 for i in outputs if i >= count]
    copies = bool(slices.copies) and isinstance(length, int) and not reverse
    slices.settle(copies, ranks)
    if copies:
        function.role = "layer"
        attributes: dict[str, Any] = {"count": length, "scan": True}
    else:
        attributes = {"axis": slices.axis} if slices.axis else {}
        attributes |= {"reverse": True} if reverse else {}
        attributes |= {} if slices.operands else {"length": length}
    ys = {i for i in outputs if i >= count}
    op = "repeat" if copies else "scan"
    return _loop(equation, carries, slices, ys, length, op, attributes)


def _loop(
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
    _written(function.lower, step)
    return _every(equation, views)


@rule("while")
def while_(lower: Lowering, equation: JaxprEqn) -> list[View]:
    """A loop that counts to a known number is a `scan`."""
    params = equation.params
    wanted = _wanted(lower, equation)
    outputs, used = looped(params, wanted)
    given = given_of(lower, equation, used)
    asked, own = params["cond_nconsts"], params["body_nconsts"]
    function = Function(lower, params["body_jaxpr"], "loop_body")
    function.given = {
        i - asked: v for i, v in given.items() if asked <= i < asked + own
    }
    known = known_of(lower, equation)
    function.known = {
        i - asked: a for i, a in known.items() if asked <= i < asked + own
    }
    starts = {i: given[asked + own + i] for i in sorted(outputs)}
    carries = Carries(function, own, starts)
    flat, condition = body_of(params["body_jaxpr"]), body_of(params["cond_jaxpr"])
    length = _length(params, given, flat, condition)
    carries.settle(flat, length, wanted)
    if length is not None and carries.step is not None:
        function.role = "step"
        slices = Slices(function, 0, {})
        attributes = {"length": length}
        return _loop(equation, carries, slices, set(), length, "scan", attributes)
    return _until(equation, carries, given)


def _length(
    params: Mapping[str, Any], given: Mapping[int, View], flat: Flat, condition: Flat
) -> Size | None:
    """The number of steps of a loop that counts to a number; None of another."""
    asked, own = params["cond_nconsts"], params["body_nconsts"]
    places = {v: i for i, v in enumerate(params["cond_jaxpr"].jaxpr.invars)}
    found = bound(condition, places)
    if found is None or found[0] < asked:
        return None
    low, high = found[0] - asked, found[1]
    variables = params["body_jaxpr"].jaxpr.invars
    if (
        high >= asked
        and flat.outputs[high - asked] is not variables[high - asked + own]
    ):
        return None
    end, start = given[high if high < asked else high + own], given[asked + own + low]
    if not end.is_number or not counts(flat, low, variables[own + low], start):
        return None
    return _difference(end.source, start.source)


def _difference(end: Any, start: Any) -> Size | None:
    """The steps from one number to another; None where that may be below 0 for some
    sizes."""
    steps = end - start
    if isinstance(steps, int):
        return max(steps, 0)
    try:
        return steps if steps >= 0 else None
    except jax.errors.JAXTypeError:
        return None


def _until(
    equation: JaxprEqn, carries: Carries, given: Mapping[int, View]
) -> list[View]:
    """A loop that ends when its condition says so."""
    function, params = carries.function, equation.params
    asked = params["cond_nconsts"]
    condition = Function(function.lower, params["cond_jaxpr"], "loop_cond")
    condition.given = {i: view for i, view in given.items() if i < asked}
    for i in carries.starts:
        condition.given[asked + i] = carries.seen(condition, i)
    condition.run({0})
    function.run({*carries.inner})
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
    _written(function.lower, step)
    views = carries.outer | dict(zip(names, map(View.of, made), strict=True))
    return _every(equation, views)


@rule("cond")
def cond(lower: Lowering, equation: JaxprEqn) -> list[View]:
    """Two branches that a boolean picks are a `cond`, others a `switch`."""
    wanted = _wanted(lower, equation)
    branches = equation.params["branches"]
    given = given_of(lower, equation, branched(equation.params, wanted))
    which = given.pop(0)
    given = {i - 1: view for i, view in given.items()}
    known = {i - 1: a for i, a in known_of(lower, equation).items() if i}
    if isinstance(which.source, int):
        place = min(max(which.source, 0), len(branches) - 1)
        only = Function(lower, branches[place], "", given, known)
        only.run(wanted)
        lower.items += only.child.items
        return _every(equation, only.found)
    predicate = _boolean(lower, which) if len(branches) == 2 else None
    names = {i: f"out_{i}" if len(wanted) > 1 else "out" for i in sorted(wanted)}

    def branch(place: int, role: str) -> Region:
        function = Function(lower, branches[place], role, dict(given), known)
        function.run(wanted)
        return function.region({n: function.array(i) for i, n in names.items()})

    made = {i: Value(*output_of(equation, i)) for i in names}
    step = Step("cond", {}, {}, [*made.values()], (*names.values(),))
    if predicate is None:
        step.op, step.operands = "switch", {"index": lower.operand(which)}
        numbers = range(len(branches))
        step.functions = {f"branches.{i}": branch(i, f"branch_{i}") for i in numbers}
    else:
        step.operands = {"predicate": predicate}
        step.functions = {
            "then": branch(1, "then_branch"),
            "else": branch(0, "else_branch"),
        }
    _written(lower, step)
    return _every(equation, {i: View.of(v) for i, v in made.items()})


def _boolean(lower: Lowering, which: View) -> Value | None:
    """The boolean that an index of two branches was made of."""
    for item in reversed(lower.items):
        if isinstance(item, Step) and which.source in item.outputs:
            x = item.operands.get("x") if item.op == "astype" else None
            return x if isinstance(x, Value) and x.dtype == "bool" else None
    return None


def _wanted(lower: Lowering, equation: JaxprEqn) -> set[int]:
    return {i for i, v in enumerate(equation.outvars) if v in lower.needed}


def _written(lower: Lowering, step: Step) -> None:
    step.line = lower.line
    adopt(step)
    lower.items.append(step)


def _every(equation: JaxprEqn, views: Mapping[int, View]) -> list[View]:
    """A View of each output; what nothing uses is nothing."""
    found = []
    for i in range(len(equation.outvars)):
        shape, dtype = output_of(equation, i)
        found.append(views.get(i) or View.of(Value(shape, dtype)))
    return found
