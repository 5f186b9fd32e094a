"""Elementary functions, elementwise. (...) -> (...)."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..deferred import Op
from ..fields import Tensor


class Elementary(Op):
    """The base of functions of x alone."""

    x: Tensor


class Exp(Elementary):
    """`e ** x`. (...) -> (...)."""

    op: Literal["exp"] = "exp"


class Expm1(Elementary):
    """`e ** x - 1`, exact near 0. (...) -> (...)."""

    op: Literal["expm1"] = "expm1"


class Log(Elementary):
    """The natural logarithm. (...) -> (...)."""

    op: Literal["log"] = "log"


class Log1p(Elementary):
    """`log(1 + x)`, exact near 0. (...) -> (...)."""

    op: Literal["log1p"] = "log1p"


class Sqrt(Elementary):
    """The square root. (...) -> (...)."""

    op: Literal["sqrt"] = "sqrt"


class Rsqrt(Elementary):
    """`1 / sqrt(x)`. (...) -> (...)."""

    op: Literal["rsqrt"] = "rsqrt"


class Square(Elementary):
    """`x * x`. (...) -> (...)."""

    op: Literal["square"] = "square"


class Sin(Elementary):
    """The sine of x in radians. (...) -> (...)."""

    op: Literal["sin"] = "sin"


class Cos(Elementary):
    """The cosine of x in radians. (...) -> (...)."""

    op: Literal["cos"] = "cos"


class Erf(Elementary):
    """The error function, `2 / sqrt(pi) * integral of exp(-t ** 2)` over 0 to x.

    (...) -> (...).
    """

    op: Literal["erf"] = "erf"


class Abs(Elementary):
    """`|x|`. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("absolute",)

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

    op: Literal["round"] = "round"
