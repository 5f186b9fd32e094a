"""Primitives that repeat arrays, or put them together and take them apart."""

from __future__ import annotations

from ...views import View
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule


@rule("tile")
def tile(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    reps = [int(r) for r in equation.params["reps"]]
    x = lower.read(equation.invars[0])
    if x.is_number:
        return View.filled(x.source, shape, dtype)  # type: ignore[arg-type]
    return lower.emit("tile", {"x": x}, {"reps": reps}, shape, dtype)


@rule("stack")
def stack(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    parts = [lower.read(v) for v in equation.invars]
    axis = int(equation.params["axis"]) - len(shape)
    return lower.emit("stack", {"xs": parts}, {"axis": axis}, shape, dtype)


@rule("unstack")
def unstack(lower: Lowering, equation: JaxprEqn) -> list[View]:
    x = lower.read(equation.invars[0])
    before = [slice(None)] * int(equation.params["axis"])
    outputs = [output_of(equation, i) for i in range(len(equation.outvars))]
    return [
        lower.emit("index", {"x": x}, {"at": [*before, i]}, shape, dtype)
        for i, (shape, dtype) in enumerate(outputs)
    ]
