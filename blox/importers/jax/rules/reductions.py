"""Primitives that reduce axes."""

from __future__ import annotations

import math

import numpy as np

from ...trace import Number, Value
from ...views import View
from ..context import Missing
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule
from .casts import cast

REDUCE = {
    "reduce_sum": "sum",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_prod": "prod",
    "reduce_and": "all",
    "reduce_or": "any",
}
BITS = ("reduce_and", "reduce_or")
TOTALS = ("reduce_sum", "reduce_prod")
PROMOTED = {"int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32"}
"""What `sum` and `prod` make of small integers."""


@rule(*REDUCE)
def reduce(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    gone = [int(a) for a in equation.params["axes"]]
    if not gone:
        return x
    name = equation.primitive.name
    if name in BITS and dtype != "bool":
        raise Missing(f"{name}: of the bits of integers")
    if 0 in x.shape and 0 in [x.shape[a] for a in gone]:
        return View.filled(_of_nothing(name, dtype), shape, dtype)
    wide = PROMOTED.get(dtype, dtype) if name in TOTALS else dtype
    return cast(lower, reduced(lower, REDUCE[name], x, gone, shape, wide), dtype)


def _of_nothing(name: str, dtype: str) -> Number:
    """What no element at all is reduced to."""
    if name not in ("reduce_max", "reduce_min"):
        return {"reduce_sum": 0, "reduce_prod": 1, "reduce_and": True}.get(name, False)
    if dtype == "bool" or "float" in dtype:
        least: Number = False if dtype == "bool" else -math.inf
        return (
            least
            if name == "reduce_max"
            else not least
            if dtype == "bool"
            else math.inf
        )
    bounds = np.iinfo(dtype)
    return int(bounds.min if name == "reduce_max" else bounds.max)


@rule("reduce_xor")
def reduce_xor(lower: Lowering, equation: JaxprEqn) -> View:
    """True for an odd number of them."""
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    gone = [int(a) for a in equation.params["axes"]]
    if dtype != "bool":
        raise Missing("reduce_xor: of the bits of integers")
    if not gone:
        return x
    count = reduced(lower, "count_nonzero", x, gone, shape, "int32")
    two = View.filled(2, (), "int32")
    odd = lower.elementwise("remainder", {"a": count, "b": two}, shape, "int32")
    return cast(lower, odd, dtype)


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
    lower.keep_axes(made, op, source, own, attributes)
    kept = [i for i in range(x.ndim) if i not in gone]
    places = {a: a - sum(g < a for g in own) for a in range(source.ndim)}
    moved = tuple(None if (a := x.axes[i]) is None else places[a] for i in kept)
    return View(made.source, moved, tuple(x.shape[i] for i in kept), dtype)
