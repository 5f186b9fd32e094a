"""Discrete Fourier transforms: those of `jax.numpy.fft`.

Lengths are called n. With `norm` `backward` the inverse is divided by n, with `forward` the
transform, with `ortho` each by the square root of n. An axis that is longer than n is cut,
a shorter one filled with zeros at its end. In float32 at least: of bfloat16 come complex64
and float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from ..deferred import Op
from ..dtypes import RealDType
from ..fields import Float, Int, OptionalSize, Size, SizeOf, Tensor
from ..problems import Problem, too_many
from .indexing import axes_of

Norm = Literal["backward", "ortho", "forward"]


class Transform(Op):
    """The base of transforms along one axis."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    COMPLEX: ClassVar[bool] = True

    x: Tensor
    n: OptionalSize = None
    axis: Int = -1
    norm: Norm = "backward"

    def problems(self) -> Iterator[Problem]:
        yield from too_many("n", [self.n])


class Fft(Transform):
    """`y[k] = sum(x[t] * exp(-2i pi k t / n))` over t: (..., n) -> (..., n) complex.

    `n` is null for the size of the axis.
    """

    op: Literal["fft"] = "fft"


class Ifft(Transform):
    """`x[t] = sum(y[k] * exp(2i pi k t / n)) / n` over k: (..., n) -> (..., n) complex.

    The inverse of `fft`. `n` is null for the size of the axis.
    """

    op: Literal["ifft"] = "ifft"


class Rfft(Transform):
    """`fft` of real x, its frequencies 0 to n // 2: (..., n) -> (..., n // 2 + 1) complex.

    The others are their conjugates. `n` is null for the size of the axis.
    """

    COMPLEX: ClassVar[bool] = False

    op: Literal["rfft"] = "rfft"


class Irfft(Transform):
    """The inverse of `rfft`: (..., m) -> (..., n) real, of m = n // 2 + 1 frequencies.

    `n` is null for the even one, 2 * (m - 1). The imaginary parts of the first frequency,
    and of the last where n is even, are taken for 0.
    """

    op: Literal["irfft"] = "irfft"


class Hfft(Transform):
    """`fft` of a signal whose second half is the conjugate of its first: (..., m) ->
    (..., n) real, of m = n // 2 + 1 elements.

    `n` is null for the even one, 2 * (m - 1).
    """

    op: Literal["hfft"] = "hfft"


class Ihfft(Transform):
    """The inverse of `hfft`, of real x: (..., n) -> (..., n // 2 + 1) complex.

    `n` is null for the size of the axis.
    """

    COMPLEX: ClassVar[bool] = False

    op: Literal["ihfft"] = "ihfft"


class Plane(Op):
    """The base of transforms of the last two axes."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    COMPLEX: ClassVar[bool] = True

    x: Tensor
    s: list[Size] | None = None
    norm: Norm = "backward"

    def problems(self) -> Iterator[Problem]:
        if self.s is not None and len(self.s) != 2:
            yield Problem.expected("s", "2 sizes", self.s)
        yield from too_many("s", self.s or [])


class Fft2(Plane):
    """`fft` of the last two axes: (..., n, m) -> (..., n, m) complex.

    `s` is [n, m], null for the sizes of the axes; of others there is `fftn`.
    """

    op: Literal["fft2"] = "fft2"


class Ifft2(Plane):
    """The inverse of `fft2`: (..., n, m) -> (..., n, m) complex.

    `s` is [n, m], null for the sizes of the axes.
    """

    op: Literal["ifft2"] = "ifft2"


class Rfft2(Plane):
    """`rfft` of the last axis, then `fft` of the one before, of real x: (..., n, m) ->
    (..., n, m // 2 + 1) complex.

    `s` is [n, m], null for the sizes of the axes.
    """

    COMPLEX: ClassVar[bool] = False

    op: Literal["rfft2"] = "rfft2"


class Irfft2(Plane):
    """The inverse of `rfft2`: (..., n, k) -> (..., n, 2 * k - 2) real.

    `s` is [n, m], of k = m // 2 + 1 frequencies, null for the even m.
    """

    op: Literal["irfft2"] = "irfft2"


class Space(Op):
    """The base of transforms of several axes."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    COMPLEX: ClassVar[bool] = True

    x: Tensor
    axis: list[Int]
    s: list[Size] | None = None
    norm: Norm = "backward"

    def problems(self) -> Iterator[Problem]:
        if not self.axis or len({*self.axis}) < len(self.axis):
            yield Problem.expected("axis", "axes that differ, at least one", self.axis)
        if self.s is not None and len(self.s) != len(self.axis):
            yield Problem.expected("s", f"{len(self.axis)}, one an axis", self.s)
        yield from too_many("s", self.s or [])


class Fftn(Space):
    """`fft` of each of several axes: (...) -> (...) complex.

    `s` has a length for each of `axis`, null for their sizes.
    """

    op: Literal["fftn"] = "fftn"


class Ifftn(Space):
    """The inverse of `fftn`: (...) -> (...) complex.

    `s` has a length for each of `axis`, null for their sizes.
    """

    op: Literal["ifftn"] = "ifftn"


class Rfftn(Space):
    """`rfft` of the last of `axis`, then `fft` of the others, of real x: (..., n, m) ->
    (..., n, m // 2 + 1) complex, for axis [-2, -1].

    `s` has a length for each of `axis`, null for their sizes.
    """

    COMPLEX: ClassVar[bool] = False

    op: Literal["rfftn"] = "rfftn"


class Irfftn(Space):
    """The inverse of `rfftn`: (..., n, k) -> (..., n, 2 * k - 2) real, for axis [-2, -1].

    `s` has a length for each of `axis`, null for their sizes, and of the last one for the
    even m of k = m // 2 + 1.
    """

    op: Literal["irfftn"] = "irfftn"


class Frequencies(Op):
    """The base of frequencies of transforms."""

    n: Size
    d: Float = 1.0
    dtype: RealDType = "float"

    def problems(self) -> Iterator[Problem]:
        yield from too_many("n", [self.n])
        if isinstance(self.d, (int, float)) and self.d <= 0:
            yield Problem.expected("d", "a number above 0", self.d)


class FftFreq(Frequencies):
    """The frequencies of `fft` in cycles, samples being `d` apart: () -> (n,).

    0, 1, ... over n d, from n / 2 on the negative ones.
    """

    op: Literal["fftfreq"] = "fftfreq"
    n: Annotated[Size, SizeOf("out")]


class RfftFreq(Frequencies):
    """The frequencies of `rfft` in cycles, samples being `d` apart: 0, 1, ..., n // 2 over
    n d. () -> (n // 2 + 1,).
    """

    op: Literal["rfftfreq"] = "rfftfreq"


class Shift(Op):
    """The base of shifts by half of an axis."""

    COMPLEX: ClassVar[bool] = True

    x: Tensor
    axis: list[Int]

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        yield from axes_of(len(shapes["x"]), self.axis)


class FftShift(Shift):
    """x rolled by n // 2 along each of `axis`: frequency 0 in the middle.

    (...) -> (...).
    """

    op: Literal["fftshift"] = "fftshift"


class IfftShift(Shift):
    """The inverse of `fftshift`: x rolled by -(n // 2) along each of `axis`.

    (...) -> (...).
    """

    op: Literal["ifftshift"] = "ifftshift"
