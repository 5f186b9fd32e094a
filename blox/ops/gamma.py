"""Gamma, beta, zeta and their kin: those of `jax.scipy.special`."""

from __future__ import annotations

from jax import Array
from jax.scipy import special

from .inline import inline

gamma = special.gamma
gammaln = special.gammaln
digamma = special.digamma
factorial = special.factorial
beta = special.beta
betaln = special.betaln
gammainc = special.gammainc
gammaincc = special.gammaincc
zeta = special.zeta
polygamma = special.polygamma
poch = special.poch
betainc = special.betainc


@inline
def multigammaln(x: Array, *, d: int) -> Array:
    return special.multigammaln(x, d)


def gammasgn(x: Array) -> Array:
    """The sign of the gamma function."""
    y: Array = special.gammasgn(x)
    return y


def hyp1f1(a: Array, b: Array, x: Array) -> Array:
    """Kummer's function."""
    y: Array = special.hyp1f1(a, b, x)
    return y


def comb(n: Array, k: Array) -> Array:
    """How many ways there are to choose k of n."""
    return special.comb(n, k)
