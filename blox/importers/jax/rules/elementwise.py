"""Primitives that go element by element, and that an op is as it stands."""

from __future__ import annotations

from ...views import View
from ..context import Missing
from ..fold import of_numbers
from ..internals import JaxprEqn
from ..lower import Lowering, Rule, output_of, rule

UNARY = {
    "abs": "abs",
    "acos": "acos",
    "acosh": "acosh",
    "asin": "asin",
    "asinh": "asinh",
    "atan": "atan",
    "atanh": "atanh",
    "bessel_i0e": "i0e",
    "bessel_i1e": "i1e",
    "cbrt": "cbrt",
    "ceil": "ceil",
    "cos": "cos",
    "cosh": "cosh",
    "digamma": "digamma",
    "erf": "erf",
    "erf_inv": "erf_inv",
    "erfc": "erfc",
    "exp": "exp",
    "exp2": "exp2",
    "expm1": "expm1",
    "floor": "floor",
    "imag": "imag",
    "is_finite": "isfinite",
    "lgamma": "gammaln",
    "log": "log",
    "log1p": "log1p",
    "log2": "log2",
    "logistic": "sigmoid",
    "neg": "negative",
    "real": "real",
    "rsqrt": "rsqrt",
    "sign": "sign",
    "sin": "sin",
    "sinh": "sinh",
    "sqrt": "sqrt",
    "square": "square",
    "stop_gradient": "stop_gradient",
    "tan": "tan",
    "tanh": "tanh",
}
BINARY = {
    "add": "add",
    "add_any": "add",
    "atan2": "atan2",
    "eq": "equal",
    "ge": "greater_equal",
    "gt": "greater",
    "le": "less_equal",
    "lt": "less",
    "max": "maximum",
    "min": "minimum",
    "mul": "multiply",
    "ne": "not_equal",
    "nextafter": "nextafter",
    "pow": "power",
    "sub": "subtract",
}
SPECIAL = {
    "complex": ("complex", ("real", "imag")),
    "igamma": ("gammainc", ("a", "x")),
    "igammac": ("gammaincc", ("a", "x")),
    "regularized_incomplete_beta": ("betainc", ("a", "b", "x")),
    "zeta": ("zeta", ("x", "q")),
}
"""The op, and the names of its operands."""
UNITS = {
    "add": (0, 0),
    "subtract": (None, 0),
    "multiply": (1, 1),
    "divide": (None, 1),
    "power": (None, 1),
}
"""What changes nothing as the first, and as the second operand."""


def folded(written: Rule) -> Rule:
    """A rule of what goes element by element, which gives a number for numbers."""

    def whole(lower: Lowering, equation: JaxprEqn) -> View:
        views = [lower.read(v) for v in equation.invars]
        found = of_numbers(equation, views)
        return written(lower, equation) if found is None else found  # type: ignore[return-value]

    return whole


@rule(*UNARY)
@folded
def unary(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x = lower.read(equation.invars[0])
    y = lower.elementwise(UNARY[equation.primitive.name], {"x": x}, shape, dtype)
    return modelled(lower, y) if x.dtype.startswith("complex") else y


def modelled(lower: Lowering, x: View) -> View:
    """What was made of complex numbers, which have 32 bits, in the dtype of the model."""
    if x.dtype != "float32":
        return x
    own = {"dtype": "float"}
    return lower.elementwise("astype", {"x": x}, x.shape, x.dtype, own)


@rule(*BINARY)
@folded
def binary(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    a, b = map(lower.read, equation.invars)
    return two(lower, BINARY[equation.primitive.name], a, b, shape, dtype)


def two(
    lower: Lowering, op: str, a: View, b: View, shape: tuple[object, ...], dtype: str
) -> View:
    """An op of two operands; one of them where the other changes nothing."""
    for x, other, place in ((a, b, 1), (b, a, 0)):
        neutral = UNITS.get(op, ())[place : place + 1]
        if other.is_number and (other.source,) == neutral and x.shape == shape:
            return x
    return lower.elementwise(op, {"a": a, "b": b}, shape, dtype)


@rule(*SPECIAL)
@folded
def special(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    op, names = SPECIAL[equation.primitive.name]
    given = map(lower.read, equation.invars)
    return lower.elementwise(op, dict(zip(names, given, strict=True)), shape, dtype)


@rule("polygamma")
@folded
def polygamma(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    n, x = map(lower.read, equation.invars)
    if not n.is_number or n.source != int(n.source):  # type: ignore[arg-type]
        raise Missing("polygamma: of an order that is computed")
    order = View.filled(int(n.source), (), "int32")  # type: ignore[arg-type]
    return lower.elementwise("polygamma", {"n": order, "x": x}, shape, dtype)


@rule("integer_pow")
@folded
def integer_pow(lower: Lowering, equation: JaxprEqn) -> View:
    shape, dtype = output_of(equation)
    x, y = lower.read(equation.invars[0]), equation.params["y"]
    if y == 2:
        return lower.elementwise("square", {"x": x}, shape, dtype)
    power = View.filled(y, (), "int32")
    return lower.elementwise("power", {"a": x, "b": power}, shape, dtype)


@rule("one_minus_square")
def one_minus_square(lower: Lowering, equation: JaxprEqn) -> View:
    """As a product, which is exact near 1 as well."""
    shape, dtype = output_of(equation)
    x, one = lower.read(equation.invars[0]), View.filled(1, (), dtype)
    less = lower.elementwise("subtract", {"a": one, "b": x}, shape, dtype)
    more = lower.elementwise("add", {"a": one, "b": x}, shape, dtype)
    return lower.elementwise("multiply", {"a": less, "b": more}, shape, dtype)


@rule("polynomial")
def polynomial(lower: Lowering, equation: JaxprEqn) -> View:
    """By Horner's rule; the coefficients follow x, that of the least power first."""
    shape, dtype = output_of(equation)
    x, *powers = map(lower.read, equation.invars)
    total = powers.pop()
    while powers:
        product = lower.elementwise("multiply", {"a": total, "b": x}, shape, dtype)
        given = {"a": product, "b": powers.pop()}
        total = lower.elementwise("add", given, shape, dtype)
    return total
