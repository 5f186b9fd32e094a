"""Primitives that sort."""

from __future__ import annotations

from ...trace import Step
from ...views import View
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule
from .along import along, with_axes
from .casts import cast


@rule("sort")
def sort(lower: Lowering, equation: JaxprEqn) -> list[View]:
    """Several operands are put in the order of the first ones: an argsort, then each taken
    by it; one that counts the places is that order itself."""
    views = [lower.read(v) for v in equation.invars]
    axis = int(equation.params["dimension"])
    if len(views) == 1:
        return [along(lower, "sort", views[0], axis, views[0].dtype)]
    keys = views[: int(equation.params["num_keys"])]
    if len(keys) == 1:
        order = along(lower, "argsort", keys[0], axis, "int32")
    else:
        shape, _ = output_of(equation)
        given = {"xs": [lower.array(v) for v in reversed(keys)]}
        attributes = {"axis": axis - len(shape)}
        order = lower.emit("lexsort", given, attributes, shape, "int32")
    return [
        cast(lower, order, view.dtype)
        if counts(lower, view, axis)
        else taken(lower, view, order, axis)
        for view in views
    ]


def taken(lower: Lowering, x: View, order: View, axis: int) -> View:
    """x in an order along an axis."""
    attributes = {"axis": axis - x.ndim}
    operands = {"x": lower.array(x), "indices": lower.array(order)}
    return lower.emit("take_along_axis", operands, attributes, x.shape, x.dtype)


def counts(lower: Lowering, x: View, axis: int) -> bool:
    """True for a View of numbers that count the places along an axis."""
    if [i for i, a in enumerate(x.axes) if a is not None] != [axis]:
        return False
    steps = (s for s in reversed(lower.items) if x.source in getattr(s, "outputs", ()))
    step = next(steps, None)
    return (
        isinstance(step, Step)
        and step.op == "arange"
        and "start" not in step.attributes
    )


@rule("top_k")
def top_k(lower: Lowering, equation: JaxprEqn) -> list[View]:
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    axis = int(equation.params.get("axis", x.ndim - 1))
    seen = with_axes(lower, x, [axis])
    source = lower.array(View.of(seen.source))  # type: ignore[arg-type]
    own = seen.axes[axis]
    assert own is not None
    sizes = [shape[axis] if i == own else s for i, s in enumerate(source.shape)]
    attributes = {"k": shape[axis], "axis": own - source.ndim}
    outputs = [("values", sizes, dtype), ("indices", sizes, "int32")]
    made = lower.emit_several("top_k", {"x": source}, attributes, outputs)
    return [View(m.source, seen.axes, shape, m.dtype) for m in made]
