"""Gamma, beta, zeta and their kin, those of `jax.scipy.special`.

Elementwise; operands broadcast.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from ..deferred import Op
from ..fields import Size, Tensor
from ..problems import Problem


class OfGamma(Op):
    """The base of functions of x alone."""

    x: Tensor


class Gamma(OfGamma):
    """The gamma function, `(x - 1)!` for integers. (...) -> (...)."""

    op: Literal["gamma"] = "gamma"


class GammaLn(OfGamma):
    """`log(|gamma(x)|)`. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("lgamma", "loggamma")

    op: Literal["gammaln"] = "gammaln"


class Digamma(OfGamma):
    """The slope of `gammaln`. (...) -> (...)."""

    ALSO: ClassVar[tuple[str, ...]] = ("psi",)

    op: Literal["digamma"] = "digamma"


class Factorial(OfGamma):
    """`gamma(x + 1)`, 0 for x < 0. (...) -> (...)."""

    op: Literal["factorial"] = "factorial"


class Beta(Op):
    """`gamma(a) * gamma(b) / gamma(a + b)`. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["beta"] = "beta"
    a: Tensor
    b: Tensor


class BetaLn(Op):
    """`log(|beta(a, b)|)`. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["betaln"] = "betaln"
    a: Tensor
    b: Tensor


class GammaInc(Op):
    """`integral of t ** (a - 1) * exp(-t)` over 0 to x, divided by gamma(a), the
    regularised lower incomplete gamma function. (...), (...) -> (...).
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    ALSO: ClassVar[tuple[str, ...]] = ("igamma",)

    op: Literal["gammainc"] = "gammainc"
    a: Tensor
    x: Tensor


class GammaIncC(Op):
    """`1 - gammainc(a, x)`, exact where that is near 0. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    ALSO: ClassVar[tuple[str, ...]] = ("igammac",)

    op: Literal["gammaincc"] = "gammaincc"
    a: Tensor
    x: Tensor


class Zeta(Op):
    """Hurwitz' zeta function, the sum of `(k + q) ** -x` over k = 0, 1, ...

    (...), (...) -> (...).
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["zeta"] = "zeta"
    x: Tensor
    q: Tensor


class PolyGamma(Op):
    """The derivative of order n of `digamma`; n has no gradient.

    (...), (...) -> (...).
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["polygamma"] = "polygamma"
    n: Tensor
    x: Tensor


class Poch(Op):
    """Pochhammer's symbol, `gamma(x + m) / gamma(x)`. (...), (...) -> (...)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["poch"] = "poch"
    x: Tensor
    m: Tensor


class BetaInc(Op):
    """`integral of t ** (a - 1) * (1 - t) ** (b - 1)` over 0 to x, divided by beta(a, b),
    the regularised incomplete beta function. (...), (...), (...) -> (...).

    It has a gradient of x alone.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["betainc"] = "betainc"
    a: Tensor
    b: Tensor
    x: Tensor


class Hyp1f1(Op):
    """Kummer's function, the sum of `poch(a, k) / poch(b, k) * x ** k / k!` over k.

    (...), (...), (...) -> (...).
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["hyp1f1"] = "hyp1f1"
    a: Tensor
    b: Tensor
    x: Tensor


class MultiGammaLn(OfGamma):
    """The logarithm of the gamma function of `d` variables,
    `d * (d - 1) / 4 * log(pi) + sum(gammaln(x - j / 2))` over j = 0, ..., d - 1.

    (...) -> (...).
    """

    op: Literal["multigammaln"] = "multigammaln"
    d: Size

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.d, int) and self.d > 1024:
            yield Problem.expected("d", "at most 1024", self.d)

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        return self.problems()  # of a number that a dim decides


class GammaSgn(OfGamma):
    """The sign of the gamma function, 1 or -1. (...) -> (...)."""

    op: Literal["gammasgn"] = "gammasgn"


class Comb(Op):
    """How many ways there are to choose k of n, `n! / (k! * (n - k)!)`.

    (...), (...) -> (...); 0 where k or n is negative, or k > n.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    ALSO: ClassVar[tuple[str, ...]] = ("binomial_coefficient",)

    op: Literal["comb"] = "comb"
    n: Tensor
    k: Tensor
