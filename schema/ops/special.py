"""Special functions of `jax.scipy.special`: erf, integrals, Bessel's, of probabilities.

Elementwise; operands broadcast.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from ..deferred import Op
from ..fields import Tensor


class Special(Op):
    """The base of functions of x alone."""

    x: Tensor


class ErfInv(Special):
    """The number whose `erf` is x. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("erfinv",)

    op: Literal["erf_inv"] = "erf_inv"


class Erfc(Special):
    """`1 - erf(x)`, exact far above 0. (...) -> (...)."""

    op: Literal["erfc"] = "erfc"


class Dawsn(Special):
    """Dawson's integral, `exp(-x ** 2) * integral of exp(t ** 2)` over 0 to x.

    (...) -> (...).
    """

    op: Literal["dawsn"] = "dawsn"


class I0(Special):
    """The modified Bessel function of the first kind and order 0. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("bessel_i0",)

    op: Literal["i0"] = "i0"


class I0e(Special):
    """`exp(-|x|) * i0(x)`. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("bessel_i0e",)

    op: Literal["i0e"] = "i0e"


class I1(Special):
    """The modified Bessel function of the first kind and order 1. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("bessel_i1",)

    op: Literal["i1"] = "i1"


class I1e(Special):
    """`exp(-|x|) * i1(x)`. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("bessel_i1e",)

    op: Literal["i1e"] = "i1e"


class Entr(Special):
    """`-x * log(x)`, 0 at 0, -infinity below. (...) -> (...)."""

    op: Literal["entr"] = "entr"


class Logit(Special):
    """`log(x / (1 - x))`, which undoes `sigmoid`. (...) -> (...)."""

    op: Literal["logit"] = "logit"


class Ndtr(Special):
    """The normal distribution function, `(1 + erf(x / sqrt(2))) / 2`, in float32.

    (...) -> (...).
    """

    ALSO: ClassVar[tuple[str, ...]] = ("normcdf",)

    op: Literal["ndtr"] = "ndtr"


class Ndtri(Special):
    """The number whose `ndtr` is x, in float32. (...) -> (...)."""

    op: Literal["ndtri"] = "ndtri"


class LogNdtr(Special):
    """`log(ndtr(x))`, exact far below 0, in float32. (...) -> (...)."""

    op: Literal["log_ndtr"] = "log_ndtr"


class XLogY(Op):
    """`x * log(y)`, 0 where x is 0. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["xlogy"] = "xlogy"
    x: Tensor
    y: Tensor


class XLog1pY(Op):
    """`x * log(1 + y)`, 0 where x is 0. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["xlog1py"] = "xlog1py"
    x: Tensor
    y: Tensor


class BoxCox(Op):
    """`(x ** lmbda - 1) / lmbda`, `log(x)` where lmbda is 0. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["boxcox"] = "boxcox"
    x: Tensor
    lmbda: Tensor


class BoxCox1p(Op):
    """`((1 + x) ** lmbda - 1) / lmbda`, `log(1 + x)` where lmbda is 0.

    (...), (...) -> (...).
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["boxcox1p"] = "boxcox1p"
    x: Tensor
    lmbda: Tensor


class RelEntr(Op):
    """`x * log(x / y)`, 0 where x is 0. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["rel_entr"] = "rel_entr"
    x: Tensor
    y: Tensor


class KlDiv(Op):
    """`x * log(x / y) - x + y`. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["kl_div"] = "kl_div"
    x: Tensor
    y: Tensor


class Fresnel(Special):
    """Fresnel's integrals of `sin(pi / 2 * t ** 2)` and `cos(pi / 2 * t ** 2)`, both over
    0 to x. (...) -> (...), (...).
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = ("sin", "cos")

    op: Literal["fresnel"] = "fresnel"


class Sici(Special):
    """The integrals of `sin(t) / t` over 0 to x and of `cos(t) / t` over infinity to x.

    (...) -> (...), (...).
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = ("sin", "cos")

    op: Literal["sici"] = "sici"


class Erfcx(Special):
    """`exp(x ** 2) * erfc(x)`, exact far above 0. (...) -> (...)."""

    op: Literal["erfcx"] = "erfcx"


class OwensT(Op):
    """`exp(-h ** 2 * (1 + t ** 2) / 2) / (1 + t ** 2) / (2 * pi)`, integrated over t from 0
    to a: how likely two normal numbers x, y are with x > h and 0 < y < a * x.

    (...), (...) -> (...). Owen, 1956.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["owens_t"] = "owens_t"
    h: Tensor
    a: Tensor
