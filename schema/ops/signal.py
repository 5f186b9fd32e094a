"""Signals: windows and filters, made of attributes alone; spectra of short windows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from ..deferred import Op
from ..dtypes import RealDType
from ..fields import Float, OptionalSize, Size, SizeOf, Tensor
from ..problems import Problem, not_real, too_many

MAX_BANK = 2**23
"""Elements of a bank of filters, which NumPy makes while a model is traced."""


class WindowFunction(Op):
    """The base of windows of a signal.

    A window of `size` elements: symmetric, its first element being its last, or
    `periodic`, the first `size` elements of the symmetric one of one more.
    """

    size: Annotated[Size, SizeOf("out")]
    periodic: bool
    dtype: RealDType = "float"

    def problems(self) -> Iterator[Problem]:
        yield from too_many("size", [self.size])


class Hanning(WindowFunction):
    """The Hann window, 1/2 - 1/2 cos(2 pi n / m): () -> (size,), as `jnp.hanning`.

    m is size - 1, or with `periodic` the size, as is usual for spectra.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("hann", "hann_window")

    op: Literal["hanning"] = "hanning"


class Hamming(WindowFunction):
    """The Hamming window, 0.54 - 0.46 cos(2 pi n / m): () -> (size,), as `jnp.hamming`.

    m is size - 1, or with `periodic` the size, as is usual for spectra.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("hamming_window",)

    op: Literal["hamming"] = "hamming"


class Blackman(WindowFunction):
    """The Blackman window, 0.42 - 1/2 cos(2 pi n / m) + 0.08 cos(4 pi n / m).

    () -> (size,), as `jnp.blackman`; m is size - 1, or with `periodic` the size, as is
    usual for spectra.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("blackman_window",)

    op: Literal["blackman"] = "blackman"


class Bartlett(WindowFunction):
    """The Bartlett window, a triangle, 1 - |2 n / m - 1|: () -> (size,), as `jnp.bartlett`.

    m is size - 1, or with `periodic` the size, as is usual for spectra.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("bartlett_window",)

    op: Literal["bartlett"] = "bartlett"


class Kaiser(WindowFunction):
    """The Kaiser window, i0(beta * sqrt(1 - (2 n / m - 1) ** 2)) / i0(beta).

    () -> (size,), as `jnp.kaiser`; m is size - 1, or with `periodic` the size, as is usual
    for spectra.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("kaiser_window",)

    op: Literal["kaiser"] = "kaiser"
    beta: Float


class MelFilterBank(Op):
    """Weights that make mel bands of a spectrum: `spectrum @ bank`.

    () -> (num_frequencies, num_mels). The frequencies go from 0 to `sample_rate` / 2, as
    those of `rfft`. Band i is a triangle with its top at edge i + 1 and its feet at the
    edges beside that; edges are even in mels from `low` to `high`, in Hz. `scale`: `htk`
    has 2595 log10(1 + f / 700) mels, `slaney` is linear up to 1000 Hz and logarithmic
    above (Auditory Toolbox, 1998; librosa's default). `norm` `slaney` divides a band by
    half of its width. In float64, then as `dtype`.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("mel", "melscale_fbanks")

    op: Literal["mel_filter_bank"] = "mel_filter_bank"
    num_frequencies: Annotated[Size, SizeOf("out", axis=0)]
    num_mels: Annotated[Size, SizeOf("out", axis=1)]
    sample_rate: Float
    low: Float = 0.0
    high: Float
    scale: Literal["htk", "slaney"]
    norm: Literal["none", "slaney"]
    dtype: RealDType = "float"

    def problems(self) -> Iterator[Problem]:
        known = (self.num_frequencies, self.num_mels)
        found = math.prod(n for n in known if isinstance(n, int))
        if found > MAX_BANK:
            yield Problem.expected("num_mels", "at most 2**23 weights", found)
        low, high, rate = self.low, self.high, self.sample_rate
        if isinstance(low, (int, float)) and low < 0:
            yield Problem.expected("low", "a number of at least 0", low)
        if not isinstance(high, str) and not isinstance(low, str) and high <= low:
            yield Problem.expected("high", f"a number above low, {low}", high)
        if isinstance(rate, (int, float)) and rate <= 0:
            yield Problem.expected("sample_rate", "a number above 0", rate)


class ShortTime(Op):
    """The base of transforms between a signal and the spectra of its windows."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    COMPLEX: ClassVar[bool] = True

    x: Tensor
    window: Tensor
    n_fft: Size
    hop: Size
    center: bool = True
    onesided: bool = True
    normalized: bool = False

    def problems(self) -> Iterator[Problem]:
        yield from too_many("n_fft", [self.n_fft])
        yield from too_many("hop", [self.hop])

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        window = list(shapes["window"])
        known = isinstance(self.n_fft, int)
        if len(window) != 1:
            yield Problem("window", f"expected one axis, found shape {window}")
        elif known and isinstance(window[0], int) and window[0] > self.n_fft:
            found = f"found {window[0]}"
            yield Problem("window", f"expected at most n_fft, {self.n_fft}, {found}")

    def complex_problems(self, found: Mapping[str, str]) -> Iterator[Problem]:
        if "window" in found:
            yield not_real("window", found["window"])


class Stft(ShortTime):
    """Fourier transforms of windows of a signal: (..., time), (size,) ->
    (..., time // hop + 1, n_fft // 2 + 1) complex, of an even `n_fft`.

    `y[m, k] = sum(w[i] * x[m * hop + i] * exp(-2i pi k i / n_fft))` over i below `n_fft`, w
    being the window between zeros: (n_fft - size) // 2 of them before it, the others
    behind. With `center`, x is padded by n_fft // 2 at both ends as `pad` does by
    `pad_mode`, so that the middle of frame m is element m * hop. There are as many frames
    as lie within that. `onesided` keeps frequencies 0 to n_fft // 2, of a real x;
    `normalized` divides by the square root of n_fft. In float32 at least.

    torch.stft has the last two axes the other way round, that of `jax.scipy.signal` other
    defaults, and is divided by the sum of the window.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("short_time_fourier_transform", "spectrogram")

    op: Literal["stft"] = "stft"
    pad_mode: Literal["constant", "edge", "reflect"] = "reflect"

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        yield from super().operand_problems(shapes)
        if not shapes["x"]:
            yield Problem("x", "expected an axis of time, found no axis")
        elif isinstance(time := shapes["x"][-1], int) and isinstance(self.n_fft, int):
            half = self.n_fft // 2 if self.center else 0
            if half and self.pad_mode == "reflect" and time <= half:
                wanted = f"expected more than n_fft // 2 elements, {half}, to reflect"
                yield Problem("x", f"{wanted}, found {time}")
            elif time + 2 * half < self.n_fft or (half and time == 0):
                wanted = f"expected elements for one window of {self.n_fft}"
                yield Problem("x", f"{wanted}, found {time}")

    def complex_problems(self, found: Mapping[str, str]) -> Iterator[Problem]:
        yield from super().complex_problems(found)
        if self.onesided and "x" in found:
            wanted = "expected real numbers, as onesided is true"
            yield Problem("x", f"{wanted}, found {found['x']}")


class Istft(ShortTime):
    """The signal whose `stft` is nearest to x: (..., frames, n_fft // 2 + 1), (size,) ->
    (..., frames * hop - hop) real, of an even `n_fft`.

    `sum(w[t - m * hop] * u[m, t - m * hop]) / sum(w[t - m * hop] ** 2)` over the frames m, u
    being their inverse transforms; 0 where no window reaches, or less than 1e-11 of it.
    With `center`, n_fft // 2 elements of both ends are left out. What comes of all
    frequencies, without `onesided`, is complex. The result is cut or
    filled with zeros at its end to `length`, if there is one: without, elements behind the
    last whole hop are lost. Griffin and Lim, "Signal estimation from modified short-time
    Fourier transform", 1984.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("inverse_stft",)

    op: Literal["istft"] = "istft"
    length: Annotated[OptionalSize, SizeOf("out")] = None

    def problems(self) -> Iterator[Problem]:
        yield from super().problems()
        yield from too_many("length", [self.length])

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        yield from super().operand_problems(shapes)
        x = list(shapes["x"])
        if len(x) < 2:
            yield Problem("x", f"expected axes of frames and frequencies, found {x}")
            return
        if isinstance(self.n_fft, int) and isinstance(x[-1], int):
            wanted = self.n_fft // 2 + 1 if self.onesided else self.n_fft
            if x[-1] != wanted:
                yield Problem("x", f"expected {wanted} frequencies, found {x[-1]}")
        if x[-2] == 0:
            yield Problem("x", "expected at least one frame, found none")
