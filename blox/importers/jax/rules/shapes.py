"""Primitives that arrange elements: nearly all of them are views."""

from __future__ import annotations

from ...factors import common_factors
from ...trace import Param
from ...views import View
from ..internals import JaxprEqn, plain_size
from ..lower import Lowering, output_of, rule
from ..numbers import said_dtype


@rule("transpose")
def transpose(lower: Lowering, equation: JaxprEqn) -> View:
    x = lower.read(equation.invars[0])
    return x.transpose([int(p) for p in equation.params["permutation"]])


@rule("broadcast_in_dim")
def broadcast_in_dim(lower: Lowering, equation: JaxprEqn) -> View:
    shape, _ = output_of(equation)
    places = [int(d) for d in equation.params["broadcast_dimensions"]]
    return lower.read(equation.invars[0]).broadcast(shape, places)


@rule("squeeze")
def squeeze(lower: Lowering, equation: JaxprEqn) -> View:
    return lower.read(equation.invars[0]).squeeze(
        [int(d) for d in equation.params["dimensions"]]
    )


@rule("reshape")
def reshape(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    if x.is_number:
        return View.filled(x.source, shape, dtype)  # type: ignore[arg-type]
    if (view := x.regrouped(shape)) is not None:
        return view
    if isinstance(x.source, Param) and x.is_arranged:
        slot = lower.slot(x)
        if isinstance(slot, Param) and common_factors(slot.shape, shape) is not None:
            return View.of(slot.moved("reshape", shape))
    return lower.emit("reshape", {"x": x}, {"shape": list(shape)}, shape, dtype)


@rule("iota")
def iota(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    axis = int(equation.params["dimension"])
    attributes = {"stop": shape[axis], "dtype": said_dtype(dtype)}
    counted = lower.emit("arange", {}, attributes, [shape[axis]], dtype)
    return counted.broadcast(shape, [axis])


@rule("concatenate")
def concatenate(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    parts = [lower.read(v) for v in equation.invars]
    axis = int(equation.params["dimension"]) - len(shape)
    return lower.emit("concatenate", {"xs": parts}, {"axis": axis}, shape, dtype)


@rule("slice")
def slice_(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    params = equation.params
    strides = params["strides"] or (1,) * x.ndim
    parts = []
    for start, limit, step, size in zip(
        params["start_indices"], params["limit_indices"], strides, x.shape, strict=True
    ):
        first = None if start == 0 else plain_size(start)
        last = None if str(limit) == str(size) else plain_size(limit)
        parts.append(slice(first, last, None if step == 1 else int(step)))
    return lower.emit("index", {"x": x}, {"at": parts}, shape, dtype)


@rule("split")
def split(lower: Lowering, equation: JaxprEqn) -> list[View]:
    x = lower.read(equation.invars[0])
    sizes = [int(s) for s in equation.params["sizes"]]
    sections = len(sizes) if len(set(sizes)) == 1 else sizes
    axis = int(equation.params["axis"]) - x.ndim
    names = [f"part_{i}" for i in range(len(sizes))]
    outputs = [(n, *output_of(equation, i)) for i, n in enumerate(names)]
    attributes = {"names": names, "sections": sections, "axis": axis}
    return lower.emit_several("split", {"x": x}, attributes, outputs)
