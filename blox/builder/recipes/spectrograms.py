"""Spectrograms: what models of sound begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ..function import FunctionBuilder
    from ..values import Value


def log_mel_spectrogram(
    f: FunctionBuilder,
    x: Value,
    *,
    sample_rate: float,
    n_fft: int,
    hop: int,
    mels: int,
    window: Literal["hanning", "hamming", "blackman"] = "hanning",
    center: bool = True,
    pad_mode: Literal["constant", "edge", "reflect"] = "reflect",
    low: float = 0.0,
    high: float | None = None,
    scale: Literal["htk", "slaney"] = "htk",
    norm: Literal["none", "slaney"] = "none",
    floor: float = 1e-10,
) -> Value:
    """`log(max(|stft(x)| ** 2 @ bank, floor))`: how loud bands of a sound are over time.

    (..., time) -> (..., frames, mels). It has no parameters. In float32 at least.
    With `reflect`, time is more than n_fft // 2: `b.dim("time", min=n_fft // 2 + 1)`.

    Args:
        f: writes it.
        x: (..., time), the samples.
        sample_rate: of them in a second.
        n_fft: samples of a window, which is periodic.
        hop: samples between windows.
        mels: how many bands.
        window: the op that makes it.
        center: whether x is padded, so that the first window has its middle at 0.
        pad_mode: how, as `stft` does.
        low: the lower end of the lowest band, in Hz.
        high: the upper end of the highest one, half of the sample rate by default.
        scale: of the bands, as `mel_filter_bank` has it; librosa's is `slaney`.
        norm: of the bands; librosa's is `slaney`.
        floor: what is less loud is as loud as that.
    """
    weights = getattr(f, window)(size=n_fft, periodic=True)
    spectra = f.stft(x, weights, n_fft=n_fft, hop=hop, center=center, pad_mode=pad_mode)
    bank = f.mel_filter_bank(
        num_frequencies=n_fft // 2 + 1,
        num_mels=mels,
        sample_rate=sample_rate,
        low=low,
        high=sample_rate / 2 if high is None else high,
        scale=scale,
        norm=norm,
    )
    # Not the square of `abs`, whose gradient is none at 0.
    power = f.square(spectra.real) + f.square(spectra.imag)
    return f.log(f.maximum(power @ bank, floor))
