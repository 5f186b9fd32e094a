"""Loops of a known number of steps, and branches."""

from __future__ import annotations

from typing import Any

from ...trace import Number, Region, Step, Value
from ...views import View
from ..fixed import every, fixed, wanted_of, written
from ..functions import Function, given_of, known_of
from ..internals import JaxprEqn, plain_size, scan_counts
from ..liveness import branched, scanned
from ..loops import Carries
from ..lower import Lowering, output_of, rule
from ..slices import Slices


@rule("scan")
def scan(lower: Lowering, equation: JaxprEqn) -> list[View]:
    """Over stacked arrays of layers it is a `repeat`; a `map` of them with a count where
    it carries nothing."""
    params = equation.params
    wanted = wanted_of(lower, equation)
    outputs, used = scanned(params, wanted)
    given = given_of(lower, equation, used)
    own, count = scan_counts(params)
    function = Function(lower, params["jaxpr"], "step")
    function.given = {i: view for i, view in given.items() if i < own}
    known = known_of(lower, equation)
    function.known = {i: a for i, a in known.items() if i < own}
    length = plain_size(params["length"])
    reverse = bool(params["reverse"])
    starts = {i: given[own + i] for i in sorted(outputs) if i < count}
    carries = Carries(function, own, starts)
    carries.settle(length, wanted, counting=not reverse)
    first = own + count
    xs = {i - first: given[i] for i in sorted(used) if i >= first}
    slices = Slices(function, first, xs)
    ranks = [len(output_of(equation, i)[0]) - 1 for i in outputs if i >= count]
    copies = bool(slices.copies) and isinstance(length, int) and not reverse
    slices.settle(copies, ranks)
    alone = copies and not carries.inner and carries.step is None
    if copies:
        function.role = "member" if alone else "layer"
        attributes: dict[str, Any] = {"count": length}
        attributes |= {} if alone else {"scan": True}
    else:
        attributes = {"axis": slices.axis} if slices.axis else {}
        attributes |= {"reverse": True} if reverse else {}
        attributes |= {} if slices.operands else {"length": length}
    ys = {i for i in outputs if i >= count}
    function.updates = {
        i: lower.context.updated[v]
        for i, v in enumerate(equation.outvars)
        if i in ys and copies and v in lower.context.updated
    }
    op = "map" if alone else "repeat" if copies else "scan"
    return fixed(equation, carries, slices, ys, length, op, attributes)


@rule("cond")
def cond(lower: Lowering, equation: JaxprEqn) -> list[View]:
    """Two branches that a boolean picks are a `cond`, others a `switch`."""
    wanted = wanted_of(lower, equation)
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
        return every(equation, only.found)
    predicate = _boolean(lower, which) if len(branches) == 2 else None
    names = {i: f"out_{i}" if len(wanted) > 1 else "out" for i in sorted(wanted)}

    def branch(place: int, role: str) -> Region:
        function = Function(lower, branches[place], role, dict(given), known)
        function.run(wanted)
        return function.region({n: function.array(i) for i, n in names.items()})

    made = {i: Value(*output_of(equation, i)) for i in names}
    step = Step("cond", {}, {}, [*made.values()], (*names.values(),))
    if predicate is None:
        numbers = range(len(branches))
        step.op, step.operands = "switch", {"index": _index(lower, which, len(numbers))}
        step.functions = {f"branches.{i}": branch(i, f"branch_{i}") for i in numbers}
    else:
        step.operands = {"predicate": predicate}
        step.functions = {
            "then": branch(1, "then_branch"),
            "else": branch(0, "else_branch"),
        }
    written(lower, step)
    return every(equation, {i: View.of(v) for i, v in made.items()})


def _boolean(lower: Lowering, which: View) -> Value | None:
    """The boolean that an index of two branches was made of."""
    made = _maker(lower, which)
    x = made.operands.get("x") if made is not None and made.op == "astype" else None
    return x if isinstance(x, Value) and x.dtype == "bool" else None


def _index(lower: Lowering, which: View, count: int) -> Value | Number:
    """An index of branches, before it was bounded: a `switch` does that itself."""
    made = _maker(lower, which)
    if made is not None and made.op == "clip":
        bounds = made.operands.get("min"), made.operands.get("max")
        x = made.operands["x"]
        if bounds == (0, count - 1) and isinstance(x, Value):
            return x
    return lower.operand(which)


def _maker(lower: Lowering, view: View) -> Step | None:
    for item in reversed(lower.items):
        if isinstance(item, Step) and view.source in item.outputs:
            return item
    return None
