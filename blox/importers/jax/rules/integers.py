"""Division, and integers and booleans bit by bit."""

from __future__ import annotations

from ...views import View
from ..context import Missing
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule
from .elementwise import folded, two

BITS = {
    "and": ("logical_and", "bitwise_and"),
    "or": ("logical_or", "bitwise_or"),
    "xor": ("logical_xor", "bitwise_xor"),
}
"""The op for booleans, and for integers."""
SHIFTS = {
    "mulhi": "mulhi",
    "shift_left": "left_shift",
    "shift_right_arithmetic": "right_shift",
    "shift_right_logical": "right_shift_logical",
}
COUNTS = {"clz": "clz", "population_count": "population_count"}


@rule("div")
@folded
def div(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    a, b = map(lower.read, equation.invars)
    return two(
        lower, "trunc_divide" if "int" in dtype else "divide", a, b, shape, dtype
    )


@rule("rem")
@folded
def rem(lower: Lowering, equation: JaxprEqn) -> View:
    """What is left of a truncated division; that by an integer 0 leaves all of it."""
    shape, dtype = output_of(equation)
    a, b = map(lower.read, equation.invars)
    rest = lower.elementwise("fmod", {"a": a, "b": b}, shape, dtype)
    if "int" not in dtype or (b.is_number and b.source != 0):
        return rest
    zero = View.filled(0, (), dtype)
    nothing = lower.elementwise("equal", {"a": b, "b": zero}, b.shape, "bool")
    operands = {"condition": nothing, "a": a, "b": rest}
    return lower.elementwise("where", operands, shape, dtype)


@rule(*BITS)
@folded
def bits(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    a, b = map(lower.read, equation.invars)
    op = BITS[equation.primitive.name][dtype != "bool"]
    return lower.elementwise(op, {"a": a, "b": b}, shape, dtype)


@rule("not")
@folded
def not_(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    op = "logical_not" if dtype == "bool" else "bitwise_not"
    return lower.elementwise(op, {"x": lower.read(equation.invars[0])}, shape, dtype)


@rule(*COUNTS)
@folded
def count(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    return lower.elementwise(COUNTS[equation.primitive.name], {"x": x}, shape, dtype)


@rule(*SHIFTS)
@folded
def shift(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    name = equation.primitive.name
    if name == "shift_right_arithmetic" and dtype.startswith("u"):
        raise Missing(f"{name}: of integers without a sign")
    a, b = map(lower.read, equation.invars)
    return lower.elementwise(SHIFTS[name], {"a": a, "b": b}, shape, dtype)
