"""Arithmetic. Operands broadcast and promote as in `jax.numpy`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Literal

from ..deferred import Op
from ..diagnostics import quote
from ..fields import OptionalTensor, Tensor, Tensors
from ..problems import Problem

_SUBSCRIPTS = re.compile(r"(\.\.\.)?[A-Za-z]*(\.\.\.)?[A-Za-z]*")


class Binary(Op):
    """The base of ops of two operands."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a", "b")
    REJOINS: ClassVar[bool] = True

    a: Tensor
    b: Tensor


class Add(Binary):
    """`a + b`. (...), (...) -> (...)."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["add"] = "add"


class Subtract(Binary):
    """`a - b`. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a",)
    ALSO: ClassVar[tuple[str, ...]] = ("sub",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["subtract"] = "subtract"


class Multiply(Binary):
    """`a * b`. (...), (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("mul",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["multiply"] = "multiply"


class Divide(Binary):
    """`a / b`; integers give floats. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a",)
    ALSO: ClassVar[tuple[str, ...]] = ("div", "true_divide")
    COMPLEX: ClassVar[bool] = True

    op: Literal["divide"] = "divide"


class FloorDivide(Binary):
    """`a // b`, rounded towards minus infinity. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a",)

    op: Literal["floor_divide"] = "floor_divide"


class Remainder(Binary):
    """`a % b`, with the sign of b. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a",)
    ALSO: ClassVar[tuple[str, ...]] = ("mod",)

    op: Literal["remainder"] = "remainder"


class Power(Binary):
    """`a ** b`. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a",)
    ALSO: ClassVar[tuple[str, ...]] = ("pow", "integer_pow")
    COMPLEX: ClassVar[bool] = True

    op: Literal["power"] = "power"


class Maximum(Binary):
    """The greater of a and b; NaN where either is. (...), (...) -> (...)."""

    op: Literal["maximum"] = "maximum"


class Minimum(Binary):
    """The lesser of a and b; NaN where either is. (...), (...) -> (...)."""

    op: Literal["minimum"] = "minimum"


class Fmax(Binary):
    """The greater of a and b; where one is NaN, the other. (...), (...) -> (...)."""

    op: Literal["fmax"] = "fmax"


class Fmin(Binary):
    """The lesser of a and b; where one is NaN, the other. (...), (...) -> (...)."""

    op: Literal["fmin"] = "fmin"


class TruncDivide(Binary):
    """`a / b`, rounded towards 0, of the common dtype. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a",)

    op: Literal["trunc_divide"] = "trunc_divide"


class Fmod(Binary):
    """What `trunc_divide` leaves, with the sign of a. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a",)
    ALSO: ClassVar[tuple[str, ...]] = ("rem",)

    op: Literal["fmod"] = "fmod"


class FloatPower(Binary):
    """`a ** b` in floats, integers too. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["float_power"] = "float_power"


class Atan2(Binary):
    """The angle of the point (b, a), from -pi to pi. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    ALSO: ClassVar[tuple[str, ...]] = ("arctan2",)

    op: Literal["atan2"] = "atan2"


class Hypot(Binary):
    """`sqrt(a ** 2 + b ** 2)`, without overflow between. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["hypot"] = "hypot"


class LogAddExp(Binary):
    """`log(exp(a) + exp(b))`. (...), (...) -> (...)."""

    op: Literal["logaddexp"] = "logaddexp"


class LogAddExp2(Binary):
    """`log2(2 ** a + 2 ** b)`. (...), (...) -> (...)."""

    op: Literal["logaddexp2"] = "logaddexp2"


class CopySign(Binary):
    """`|a|` with the sign of b. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a",)

    op: Literal["copysign"] = "copysign"


class NextAfter(Binary):
    """The number next to a towards b; it has no gradient. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a",)

    op: Literal["nextafter"] = "nextafter"


class Heaviside(Binary):
    """0 where a < 0, 1 where a > 0, b where a is 0. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["heaviside"] = "heaviside"


class Ldexp(Binary):
    """`a * 2 ** b`, b being integers. (...), (...) integer -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a",)

    op: Literal["ldexp"] = "ldexp"


class Gcd(Binary):
    """The greatest common divisor of integers. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["gcd"] = "gcd"


class Lcm(Binary):
    """The least common multiple of integers. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["lcm"] = "lcm"


class Negative(Op):
    """`-x`. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("neg",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["negative"] = "negative"
    x: Tensor


class Clip(Op):
    """`minimum(maximum(x, min), max)`; a bound that is absent does not bound.

    (...), (...), (...) -> (...).
    """

    ALSO: ClassVar[tuple[str, ...]] = ("clamp",)

    op: Literal["clip"] = "clip"
    x: Tensor
    min: OptionalTensor = None
    max: OptionalTensor = None


class Matmul(Binary):
    """`a @ b`: (..., n, k), (..., k, m) -> (..., n, m); vectors as in `jnp.matmul`."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    ALSO: ClassVar[tuple[str, ...]] = ("dot", "mm", "bmm", "batch_matmul")
    COMPLEX: ClassVar[bool] = True

    op: Literal["matmul"] = "matmul"


class Einsum(Op):
    """The sum of products that `equation` says, `jnp.einsum(equation, *xs)`.

    `equation` is explicit, with `->`: `...qhd,...khd->...hqk`.
    """

    ALSO: ClassVar[tuple[str, ...]] = (
        "tensordot",
        "multi_dot",
        "dot_general",
        "matvec",
        "vecmat",
    )
    COMPLEX: ClassVar[bool] = True

    op: Literal["einsum"] = "einsum"
    xs: Tensors
    equation: str

    def problems(self) -> Iterator[Problem]:
        inputs, arrow, output = self.equation.replace(" ", "").partition("->")
        terms = inputs.split(",")
        if (
            not arrow
            or len(self.equation) > 256
            or not all(_SUBSCRIPTS.fullmatch(t) for t in [*terms, output])
            or any(t.count("...") > 1 for t in [*terms, output])
        ):
            yield Problem(
                "equation", "expected subscripts such as `...ij,...jk->...ik`"
            )
        elif len(terms) != len(self.xs):
            many = f"{len(self.xs)} terms, one for each of xs"
            yield Problem.expected("equation", many, len(terms))
        elif len(set(output.replace(".", ""))) != len(output.replace(".", "")):
            yield Problem("equation", "expected each index once in the output")
        elif unknown := set(output) - set(inputs):
            index = quote(min(unknown))
            yield Problem("equation", f"index {index} of the output is in no input")


class StopGradient(Op):
    """x, through which no gradient flows. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("detach",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["stop_gradient"] = "stop_gradient"
    x: Tensor
