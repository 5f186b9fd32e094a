"""Sequences along an axis: convolution of signals, slopes, angles without jumps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from ..deferred import Op
from ..fields import Float, Int, Size, Tensor
from ..problems import Problem


class Convolution(Op):
    """The base of the convolution and the correlation of two signals."""

    CONTINUES: ClassVar[tuple[str, ...]] = ("a",)

    a: Tensor
    b: Tensor
    mode: Literal["full", "same", "valid"]


class Convolve(Convolution):
    """`y[i] = sum(a[j] * b[i - j])`: the convolution of signals, each with each.

    a (..., n), b (..., m) -> (..., n + m - 1) for `full`; `same` is the middle of it, as long
    as the longer one, and `valid` what nothing beyond the ends goes into. What neural
    networks call a convolution is `conv`. `jnp.convolve`, for each index of the leading
    axes.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("polymul", "fftconvolve")

    op: Literal["convolve"] = "convolve"


class Correlate(Convolution):
    """`y[i] = sum(a[i + j - m + 1] * b[j])`: the correlation of signals, each with each.

    a (..., n), b (..., m) -> (..., n + m - 1) for `full`; `same` and `valid` as in
    `convolve`. `jnp.correlate`, for each index of the leading axes.
    """

    op: Literal["correlate"] = "correlate"


class Gradient(Op):
    """The slope of x along `axis`, elements being `spacing` apart.

    (..., n) -> (..., n) for axis -1, at least 2 elements. Half of the difference of the
    neighbours, at the ends the difference to the one neighbour. `jnp.gradient`.
    """

    op: Literal["gradient"] = "gradient"
    x: Tensor
    spacing: Float = 1.0
    axis: Int = -1


class Unwrap(Op):
    """Angles without jumps: where two neighbours along `axis` differ by more than half a
    `period`, whole periods are added to what follows.

    (..., n) -> (..., n). The period is 2 pi for angles in radians. `jnp.unwrap`.
    """

    op: Literal["unwrap"] = "unwrap"
    x: Tensor
    axis: Int = -1
    period: Float = 6.283185307179586

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.period, (int, float)) and self.period <= 0:
            yield Problem.expected("period", "a number above 0", self.period)


class Polynomial(Op):
    """The base of maps of a polynomial, its coefficients on the last axis, the highest
    power first."""

    p: Tensor


class PolyDer(Polynomial):
    """The derivative of a polynomial, its coefficients being the last axis, the highest
    power first. (..., n) -> (..., n - 1). `jnp.polyder`.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ("p",)

    op: Literal["polyder"] = "polyder"


class PolyInt(Polynomial):
    """The integral of a polynomial from 0 on, its coefficients being the last axis, the
    highest power first. (..., n) -> (..., n + 1). `jnp.polyint`.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ("p",)

    op: Literal["polyint"] = "polyint"


class Roots(Polynomial):
    """The roots of a polynomial, its coefficients being the last axis, the highest power
    first. (..., n) -> (..., n - 1), complex and in no order.

    Of coefficients that begin with k zeros there are k roots less: NaN behind the others. n
    is at most 4096 and no dim. They are eigenvalues, which JAX has on CPUs and GPUs
    alone. `jnp.roots` with `strip_zeros=False`, for each index of the leading axes.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["roots"] = "roots"

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        yield from _too_many("p", shapes["p"], 4096)


class PolyDiv(Op):
    """The quotient and the remainder of polynomials, their coefficients being the last axis,
    the highest power first: `u = quotient * v + remainder`.

    u (..., m), v (..., n) -> quotient (..., max(m - n + 1, 1)), remainder (..., m), which
    begins with zeros. m and n are at most 256 and no dims. `jnp.polydiv`, for each index of the
    leading axes.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    OUTPUTS: ClassVar[tuple[str, ...]] = ("quotient", "remainder")

    op: Literal["polydiv"] = "polydiv"
    u: Tensor
    v: Tensor

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        for name in ("u", "v"):
            yield from _too_many(name, shapes[name], 256)


def _too_many(name: str, shape: Sequence[Any], most: int) -> Iterator[Problem]:
    """A fault where JAX can't loop over coefficients, or would for long."""
    count = shape[-1] if shape else 1
    if not isinstance(count, int) or not 1 <= count <= most:
        yield Problem.expected(name, f"1 to {most} coefficients, and no dim", count)


class Vander(Op):
    """Powers of x, the matrix of Vandermonde: (..., m) -> (..., m, n).

    Column j is x ** (n - 1 - j), with `increasing` x ** j. `jnp.vander`, for each index of
    the leading axes.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    op: Literal["vander"] = "vander"
    x: Tensor
    n: Size
    increasing: bool = False

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.n, int) and self.n > 4096:
            yield Problem.expected("n", "at most 4096", self.n)

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        return self.problems()  # of a number that a dim decides
