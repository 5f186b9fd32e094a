"""Primitives that pick elements."""

from __future__ import annotations

from ...views import View, same
from ..context import Missing
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule


@rule("gather")
def gather(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x, at = map(lower.read, equation.invars)
    numbers = equation.params["dimension_numbers"]
    sizes = equation.params["slice_sizes"]
    axes = tuple(int(a) for a in numbers.start_index_map)
    whole = all(
        same(s, n)
        for i, (s, n) in enumerate(zip(sizes, x.shape, strict=True))
        if i not in axes
    )
    if (
        len(axes) == 1
        and numbers.collapsed_slice_dims == axes
        and whole
        and not numbers.operand_batching_dims
    ):
        mode = "fill" if "fill" in str(equation.params["mode"]).lower() else "clip"
        indices = at.squeeze([at.ndim - 1])
        return lower.emit(
            "take",
            {"x": x, "indices": indices},
            {"axis": axes[0], "mode": mode},
            shape,
            dtype,
        )
    raise Missing("gather: of several axes")
