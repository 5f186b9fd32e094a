"""Signals: windows and filters, made of attributes alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from ..deferred import Op
from ..dtypes import DType
from ..fields import Float, Size, SizeOf
from ..problems import Problem, too_many

MAX_BANK = 2**23
"""Elements of a bank of filters, which NumPy makes while a model is traced."""


class WindowFunction(Op):
    """The base of windows of a signal.

    A window of `size` elements: symmetric, its first element being its last, or
    `periodic`, the first `size` elements of the symmetric one of one more.
    """

    size: Annotated[Size, SizeOf("out")]
    periodic: bool
    dtype: DType = "float"

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
    dtype: DType = "float"

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
