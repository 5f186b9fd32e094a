"""Primitives that reduce axes."""

from __future__ import annotations

from ...trace import Value
from ...views import View
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule

REDUCE = {
    "reduce_sum": "sum",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_prod": "prod",
    "reduce_and": "all",
    "reduce_or": "any",
}


@rule(*REDUCE)
def reduce(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    gone = [int(a) for a in equation.params["axes"]]
    if not gone:
        return x
    return reduced(lower, REDUCE[equation.primitive.name], x, gone, shape, dtype)


def reduced(
    lower: Lowering, op: str, x: View, gone: list[int], shape: object, dtype: str
) -> View:
    """A reduction of the source of a View, its other axes where they were."""
    source = x.source
    if not isinstance(source, Value) or any(x.axes[a] is None for a in gone):
        source = lower.array(x)
        x = View.of(source)
    source = lower.array(View.of(source))
    own = sorted(a for i in gone if (a := x.axes[i]) is not None)
    axes = [a - source.ndim for a in own]
    attributes = {"axis": axes[0] if len(axes) == 1 else axes}
    rest = [s for i, s in enumerate(source.shape) if i not in own]
    made = lower.emit(op, {"x": source}, attributes, rest, dtype)
    kept = [i for i in range(x.ndim) if i not in gone]
    places = {a: a - sum(g < a for g in own) for a in range(source.ndim)}
    moved = tuple(None if (a := x.axes[i]) is None else places[a] for i in kept)
    return View(made.source, moved, tuple(x.shape[i] for i in kept), dtype)
