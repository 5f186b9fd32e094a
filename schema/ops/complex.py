"""Complex numbers: made of two real ones, and taken apart.

There are none of 16 bits: parts of bfloat16 and float16 make complex64, and what comes of
complex64 is float32. Gradients are those of JAX: that of a real loss by x = a + bi is
`dL/da - i dL/db`, whose conjugate points uphill.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from ..deferred import Op
from ..fields import Tensor


class Part(Op):
    """The base of real parts of complex numbers."""

    COMPLEX: ClassVar[bool] = True
    CONTINUES: ClassVar[tuple[str, ...]] = ()

    x: Tensor


class Real(Part):
    """The real part; a real x as it is. (...) -> (...) real."""

    op: Literal["real"] = "real"


class Imag(Part):
    """The imaginary part; 0 for a real x. (...) -> (...) real."""

    op: Literal["imag"] = "imag"


class Conj(Op):
    """`a - bi` for `a + bi`; a real x as it is. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("conjugate", "conj_physical")
    COMPLEX: ClassVar[bool] = True

    op: Literal["conj"] = "conj"
    x: Tensor


class Angle(Part):
    """The angle of the point (real, imag), from -pi to pi. (...) -> (...) real."""

    ALSO: ClassVar[tuple[str, ...]] = ("phase",)

    op: Literal["angle"] = "angle"


class Complex(Op):
    """`real + imag * i`: (...), (...) -> (...) complex.

    complex64, or complex128 where one of both is float64. `jax.lax.complex`, of parts that
    broadcast.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("as_complex",)
    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["complex"] = "complex"
    real: Tensor
    imag: Tensor
