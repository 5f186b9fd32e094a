"""Primitives that go element by element."""

from __future__ import annotations

from ...views import View
from ..context import Missing
from ..internals import JaxprEqn
from ..lower import Lowering, output_of, rule
from ..numbers import said_dtype

UNARY = {
    "exp": "exp",
    "exp2": "exp2",
    "expm1": "expm1",
    "log": "log",
    "log1p": "log1p",
    "sqrt": "sqrt",
    "rsqrt": "rsqrt",
    "sin": "sin",
    "cos": "cos",
    "tanh": "tanh",
    "erf": "erf",
    "logistic": "sigmoid",
    "abs": "abs",
    "sign": "sign",
    "floor": "floor",
    "ceil": "ceil",
    "neg": "negative",
    "is_finite": "isfinite",
    "square": "square",
    "stop_gradient": "stop_gradient",
}
BINARY = {
    "add": "add",
    "add_any": "add",
    "sub": "subtract",
    "mul": "multiply",
    "pow": "power",
    "max": "maximum",
    "min": "minimum",
}
COMPARE = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}
UNITS = {
    "add": (0, 0),
    "subtract": (None, 0),
    "multiply": (1, 1),
    "divide": (None, 1),
    "power": (None, 1),
}
"""What changes nothing as the first, and as the second operand."""
LOGICAL = {"and": "logical_and", "or": "logical_or"}


@rule(*UNARY)
def unary(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    return lower.elementwise(UNARY[equation.primitive.name], {"x": x}, shape, dtype)


@rule(*BINARY, *COMPARE)
def binary(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    a, b = map(lower.read, equation.invars)
    op = (BINARY | COMPARE)[equation.primitive.name]
    for x, other, place in ((a, b, 1), (b, a, 0)):
        neutral = UNITS.get(op, ())[place : place + 1]
        if other.is_number and (other.source,) == neutral and x.shape == shape:
            return x
    return lower.elementwise(op, {"a": a, "b": b}, shape, dtype)


@rule("div")
def div(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    if "int" in dtype:
        raise Missing("div: of integers, truncated")
    a, b = map(lower.read, equation.invars)
    return lower.elementwise("divide", {"a": a, "b": b}, shape, dtype)


@rule("integer_pow")
def integer_pow(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x, y = lower.read(equation.invars[0]), equation.params["y"]
    if y == 2:
        return lower.elementwise("square", {"x": x}, shape, dtype)
    power = View.filled(y, (), "int32")
    return lower.elementwise("power", {"a": x, "b": power}, shape, dtype)


@rule("select_n")
def select_n(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    which, *cases = map(lower.read, equation.invars)
    if which.dtype != "bool":
        raise Missing("select_n: of more than two")
    operands = {"condition": which, "a": cases[1], "b": cases[0]}
    return lower.elementwise("where", operands, shape, dtype)


@rule("convert_element_type")
def convert_element_type(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    if x.dtype == dtype:
        return x
    if x.is_number:
        number = x.source
        if dtype == "bool":
            number = bool(number)
        elif "float" in dtype:
            number = float(number)  # type: ignore[arg-type]
        return View.filled(number, x.shape, dtype)  # type: ignore[arg-type]
    return lower.elementwise(
        "astype", {"x": x}, shape, dtype, {"dtype": said_dtype(dtype)}
    )


@rule("copy", "copy_p", "optimization_barrier")
def same(lower: Lowering, equation: JaxprEqn) -> list[View]:
    return [lower.read(v) for v in equation.invars]
