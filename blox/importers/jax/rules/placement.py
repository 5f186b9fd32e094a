"""Primitives that say where arrays lie, or what is kept of them: the arrays are the same."""

from __future__ import annotations

from ...views import View
from ..context import Missing
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule

SAME = (
    "copy",
    "copy_p",
    "device_put",
    "layout_constraint",
    "mesh_cast",
    "name",
    "optimization_barrier",
    "pvary",
    "reshard",
    "sharding_constraint",
)


@rule(*SAME)
def same(lower: Lowering, equation: JaxprEqn) -> list[View]:
    return [lower.read(v) for v in equation.invars]


@rule("platform_index")
def platform_index(lower: Lowering, equation: JaxprEqn) -> View:
    """The branch for every platform that has none of its own."""
    shape, dtype = output_of(equation)
    platforms = list(equation.params["platforms"])
    if None not in platforms:
        raise Missing("platform_index: no branch is for all platforms")
    return View.filled(platforms.index(None), shape, dtype)
