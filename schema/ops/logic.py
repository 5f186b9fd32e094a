"""Comparison, logic and choice. Operands broadcast; comparisons give booleans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

from ..deferred import Op
from ..fields import Float, OptionalTensor, Tensor
from ..problems import Problem, not_real


class Pair(Op):
    """The base of ops of two operands."""

    a: Tensor
    b: Tensor


class Single(Op):
    """The base of ops of x alone."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    x: Tensor


class Equal(Pair):
    """`a == b`. (...), (...) -> (...) bool."""

    ALSO: ClassVar[tuple[str, ...]] = ("eq",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["equal"] = "equal"


class NotEqual(Pair):
    """`a != b`. (...), (...) -> (...) bool."""

    ALSO: ClassVar[tuple[str, ...]] = ("ne",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["not_equal"] = "not_equal"


class Less(Pair):
    """`a < b`. (...), (...) -> (...) bool."""

    ALSO: ClassVar[tuple[str, ...]] = ("lt",)

    op: Literal["less"] = "less"


class LessEqual(Pair):
    """`a <= b`. (...), (...) -> (...) bool."""

    ALSO: ClassVar[tuple[str, ...]] = ("le",)

    op: Literal["less_equal"] = "less_equal"


class Greater(Pair):
    """`a > b`. (...), (...) -> (...) bool."""

    ALSO: ClassVar[tuple[str, ...]] = ("gt",)

    op: Literal["greater"] = "greater"


class GreaterEqual(Pair):
    """`a >= b`. (...), (...) -> (...) bool."""

    ALSO: ClassVar[tuple[str, ...]] = ("ge",)

    op: Literal["greater_equal"] = "greater_equal"


class LogicalAnd(Pair):
    """True where both are not 0. (...), (...) -> (...) bool."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a", "b")
    ALSO: ClassVar[tuple[str, ...]] = ("combine_masks",)

    op: Literal["logical_and"] = "logical_and"


class LogicalOr(Pair):
    """True where either is not 0. (...), (...) -> (...) bool."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a", "b")

    op: Literal["logical_or"] = "logical_or"


class LogicalXor(Pair):
    """True where one is not 0 and the other is. (...), (...) -> (...) bool."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a", "b")

    op: Literal["logical_xor"] = "logical_xor"


class LogicalNot(Single):
    """True where x is 0. (...) -> (...) bool."""

    op: Literal["logical_not"] = "logical_not"


class IsFinite(Single):
    """True where x is neither infinite nor NaN. (...) -> (...) bool."""

    COMPLEX: ClassVar[bool] = True
    ALSO: ClassVar[tuple[str, ...]] = ("is_finite",)

    op: Literal["isfinite"] = "isfinite"


class IsInf(Single):
    """True where x is infinite. (...) -> (...) bool."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["isinf"] = "isinf"


class IsPosInf(Single):
    """True where x is infinite and above 0. (...) -> (...) bool."""

    op: Literal["isposinf"] = "isposinf"


class IsNegInf(Single):
    """True where x is infinite and below 0. (...) -> (...) bool."""

    op: Literal["isneginf"] = "isneginf"


class IsNan(Single):
    """True where x is NaN. (...) -> (...) bool."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["isnan"] = "isnan"


class SignBit(Single):
    """True where x has a minus, as -0.0 does too. (...) -> (...) bool."""

    op: Literal["signbit"] = "signbit"


class IsClose(Pair):
    """`|a - b| <= atol + rtol * |b|`. (...), (...) -> (...) bool.

    NaN is close to nothing, or with `equal_nan` to NaN.
    """

    COMPLEX: ClassVar[bool] = True
    ALSO: ClassVar[tuple[str, ...]] = ("allclose",)

    op: Literal["isclose"] = "isclose"
    rtol: Float = 1e-5
    atol: Float = 1e-8
    equal_nan: bool = False


class IsIn(Op):
    """True where x is one of `values`. (...), (n,) -> (...) bool."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["isin"] = "isin"
    x: Tensor
    values: Tensor


class Where(Op):
    """`a` where `condition` holds, else `b`. (...) bool, (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a", "b")
    ALSO: ClassVar[tuple[str, ...]] = ("select", "place", "putmask", "masked_fill")
    COMPLEX: ClassVar[bool] = True

    op: Literal["where"] = "where"
    condition: Tensor
    a: Tensor
    b: Tensor

    def complex_problems(self, found: Mapping[str, str]) -> Iterator[Problem]:
        if "condition" in found:
            yield not_real("condition", found["condition"])


class Default(Op):
    """`x`, or `default` where x is an optional input that was not given.

    (...), (...) -> (...).
    """

    ABSENT: ClassVar[Mapping[str, str]] = {"x": "default"}
    COMPLEX: ClassVar[bool] = True

    op: Literal["default"] = "default"
    x: OptionalTensor
    default: Tensor
