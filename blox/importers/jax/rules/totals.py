"""Comparisons by the order of all bit patterns: -NaN, -inf, ..., -0, 0, ..., inf, NaN."""

from __future__ import annotations

from ...views import View
from ..context import Missing
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule
from .casts import fixed
from .elementwise import folded

ORDER = {"eq_to": "equal", "le_to": "less_equal", "lt_to": "less"}


@rule(*ORDER)
@folded
def compare(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    a, b = (ranked(lower, lower.read(v)) for v in equation.invars)
    op = ORDER[equation.primitive.name]
    return lower.elementwise(op, {"a": a, "b": b}, shape, dtype)


def ranked(lower: Lowering, x: View) -> View:
    """Integers in the order of floats: the bits, those of negative ones turned around."""
    if "int" in x.dtype or x.dtype == "bool":
        return x
    if x.dtype != "float32":
        raise Missing(f"comparisons of {x.dtype} by the order of all bit patterns")
    kind = {"dtype": "int32"}
    x = fixed(lower, x)
    bits = lower.elementwise("bitcast_convert_type", {"x": x}, x.shape, "int32", kind)
    last = View.filled(31, (), "int32")
    sign = {"a": bits, "b": last}
    negative = lower.elementwise("right_shift", sign, x.shape, "int32")
    mask = {"a": negative, "b": View.filled(2**31 - 1, (), "int32")}
    turned = lower.elementwise("bitwise_and", mask, x.shape, "int32")
    both = {"a": bits, "b": turned}
    return lower.elementwise("bitwise_xor", both, x.shape, "int32")
