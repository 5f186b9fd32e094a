"""Elementary functions, elementwise. (...) -> (...)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from ..deferred import Op
from ..fields import Count, Fill, Size, Tensor
from ..problems import Problem


class Elementary(Op):
    """The base of functions of x alone."""

    x: Tensor


class Analytic(Elementary):
    """The base of functions of complex numbers too."""

    COMPLEX: ClassVar[bool] = True


class Exp(Analytic):
    """`e ** x`. (...) -> (...)."""

    op: Literal["exp"] = "exp"


class Expm1(Analytic):
    """`e ** x - 1`, exact near 0. (...) -> (...)."""

    op: Literal["expm1"] = "expm1"


class Log(Analytic):
    """The natural logarithm. (...) -> (...)."""

    op: Literal["log"] = "log"


class Log1p(Analytic):
    """`log(1 + x)`, exact near 0. (...) -> (...)."""

    op: Literal["log1p"] = "log1p"


class Sqrt(Analytic):
    """The square root. (...) -> (...)."""

    op: Literal["sqrt"] = "sqrt"


class Rsqrt(Analytic):
    """`1 / sqrt(x)`. (...) -> (...)."""

    op: Literal["rsqrt"] = "rsqrt"


class Square(Analytic):
    """`x * x`. (...) -> (...)."""

    op: Literal["square"] = "square"


class Sin(Analytic):
    """The sine of x in radians. (...) -> (...)."""

    op: Literal["sin"] = "sin"


class Cos(Analytic):
    """The cosine of x in radians. (...) -> (...)."""

    op: Literal["cos"] = "cos"


class Erf(Elementary):
    """The error function, `2 / sqrt(pi) * integral of exp(-t ** 2)` over 0 to x.

    (...) -> (...).
    """

    op: Literal["erf"] = "erf"


class Abs(Analytic):
    """`|x|`. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("absolute", "fabs")

    op: Literal["abs"] = "abs"


class Sign(Elementary):
    """-1, 0 or 1, as x is negative, zero or positive. (...) -> (...)."""

    op: Literal["sign"] = "sign"


class Floor(Elementary):
    """The greatest integer not above x, of x's dtype. (...) -> (...)."""

    op: Literal["floor"] = "floor"


class Ceil(Elementary):
    """The least integer not below x, of x's dtype. (...) -> (...)."""

    op: Literal["ceil"] = "ceil"


class Round(Elementary):
    """The nearest integer, halves to even, of x's dtype. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("around", "rint")

    op: Literal["round"] = "round"


class Exp2(Analytic):
    """`2 ** x`. (...) -> (...)."""

    op: Literal["exp2"] = "exp2"


class Log2(Analytic):
    """The logarithm to base 2. (...) -> (...)."""

    op: Literal["log2"] = "log2"


class Log10(Analytic):
    """The logarithm to base 10. (...) -> (...)."""

    op: Literal["log10"] = "log10"


class Cbrt(Elementary):
    """The cube root, negative for negative x. (...) -> (...)."""

    op: Literal["cbrt"] = "cbrt"


class Reciprocal(Analytic):
    """`1 / x`. (...) -> (...)."""

    op: Literal["reciprocal"] = "reciprocal"


class Tan(Analytic):
    """The tangent of x in radians. (...) -> (...)."""

    op: Literal["tan"] = "tan"


class Asin(Analytic):
    """The angle from -pi / 2 to pi / 2 whose sine is x. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("arcsin",)

    op: Literal["asin"] = "asin"


class Acos(Analytic):
    """The angle from 0 to pi whose cosine is x. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("arccos",)

    op: Literal["acos"] = "acos"


class Atan(Analytic):
    """The angle from -pi / 2 to pi / 2 whose tangent is x. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("arctan",)

    op: Literal["atan"] = "atan"


class Sinh(Analytic):
    """The hyperbolic sine, `(exp(x) - exp(-x)) / 2`. (...) -> (...)."""

    op: Literal["sinh"] = "sinh"


class Cosh(Analytic):
    """The hyperbolic cosine, `(exp(x) + exp(-x)) / 2`. (...) -> (...)."""

    op: Literal["cosh"] = "cosh"


class Asinh(Analytic):
    """The number whose hyperbolic sine is x. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("arcsinh",)

    op: Literal["asinh"] = "asinh"


class Acosh(Elementary):
    """The number of at least 0 whose hyperbolic cosine is x, NaN for x < 1.

    (...) -> (...).
    """

    ALSO: ClassVar[tuple[str, ...]] = ("arccosh",)

    op: Literal["acosh"] = "acosh"


class Atanh(Analytic):
    """The number whose hyperbolic tangent is x. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("arctanh",)

    op: Literal["atanh"] = "atanh"


class Sinc(Analytic):
    """`sin(pi * x) / (pi * x)`, 1 at 0. (...) -> (...)."""

    op: Literal["sinc"] = "sinc"


class Deg2Rad(Elementary):
    """`x * pi / 180`. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("radians",)

    op: Literal["deg2rad"] = "deg2rad"


class Rad2Deg(Elementary):
    """`x * 180 / pi`. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("degrees",)

    op: Literal["rad2deg"] = "rad2deg"


class Trunc(Elementary):
    """The integer next to x towards 0, of x's dtype. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("fix",)

    op: Literal["trunc"] = "trunc"


class Modf(Elementary):
    """The part of x behind the point and that before it, both with the sign of x.

    (...) -> (...), (...).
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = ("fraction", "integer")

    op: Literal["modf"] = "modf"


class Frexp(Elementary):
    """`mantissa * 2 ** exponent == x`, 0.5 <= |mantissa| < 1 or both 0.

    (...) -> (...), (...) integer.
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = ("mantissa", "exponent")

    op: Literal["frexp"] = "frexp"


class NanToNum(Analytic):
    """x with `nan` for NaN, `posinf` and `neginf` for the infinities; null being the
    greatest and the least number of x's dtype. (...) -> (...).
    """

    op: Literal["nan_to_num"] = "nan_to_num"
    nan: Fill = 0.0
    posinf: Fill | None = None
    neginf: Fill | None = None


class ReducePrecision(Elementary):
    """x as a float of so many bits of exponent and of mantissa has it, of x's dtype.

    (...) -> (...).
    """

    op: Literal["reduce_precision"] = "reduce_precision"
    exponent_bits: Size
    mantissa_bits: Count

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.exponent_bits, int) and self.exponent_bits > 11:
            yield Problem.expected("exponent_bits", "at most 11", self.exponent_bits)
        if isinstance(self.mantissa_bits, int) and self.mantissa_bits > 52:
            yield Problem.expected("mantissa_bits", "at most 52", self.mantissa_bits)
