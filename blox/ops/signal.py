"""Signals: windows and filters, made of attributes alone; spectra of short windows."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array


def hanning(*, size: int, periodic: bool, dtype: Any) -> Array:
    """A period of a raised cosine."""
    if periodic and size > 1:
        return jnp.hanning(size + 1)[:-1].astype(dtype)
    return jnp.hanning(size).astype(dtype)


def hamming(*, size: int, periodic: bool, dtype: Any) -> Array:
    """A period of a raised cosine, above 0 at its ends."""
    if periodic and size > 1:
        return jnp.hamming(size + 1)[:-1].astype(dtype)
    return jnp.hamming(size).astype(dtype)


def blackman(*, size: int, periodic: bool, dtype: Any) -> Array:
    """A period of two raised cosines."""
    if periodic and size > 1:
        return jnp.blackman(size + 1)[:-1].astype(dtype)
    return jnp.blackman(size).astype(dtype)


def bartlett(*, size: int, periodic: bool, dtype: Any) -> Array:
    """A triangle."""
    if periodic and size > 1:
        return jnp.bartlett(size + 1)[:-1].astype(dtype)
    return jnp.bartlett(size).astype(dtype)


def kaiser(*, size: int, periodic: bool, beta: float, dtype: Any) -> Array:
    """A bell, the narrower the greater beta is."""
    if periodic and size > 1:
        return jnp.kaiser(size + 1, beta)[:-1].astype(dtype)
    return jnp.kaiser(size, beta).astype(dtype)


def mel_filter_bank(
    *,
    num_frequencies: int,
    num_mels: int,
    sample_rate: float,
    low: float,
    high: float,
    scale: str,
    norm: str,
    dtype: Any,
) -> Array:
    """(frequencies, mels): triangles that stand evenly on the mel scale."""
    frequencies = np.linspace(0, sample_rate / 2, num_frequencies)
    ends = np.array([low, high])
    if scale == "htk":
        first, last = 2595 * np.log10(1 + ends / 700)
        mels = np.linspace(first, last, num_mels + 2)
        edges = 700 * (10 ** (mels / 2595) - 1)
    else:
        # Linear up to 1000 Hz, which are 15 mels, then 27 mels for a factor of 6.4.
        rise = 27 / np.log(6.4)
        above = 15 + rise * np.log(np.maximum(ends, 1000) / 1000)
        first, last = np.where(ends < 1000, ends * 3 / 200, above)
        mels = np.linspace(first, last, num_mels + 2)
        above = 1000 * np.exp((np.maximum(mels, 15) - 15) / rise)
        edges = np.where(mels < 15, mels * 200 / 3, above)
    widths = np.diff(edges)
    up = (frequencies[:, None] - edges[:-2]) / widths[:-1]
    down = (edges[2:] - frequencies[:, None]) / widths[1:]
    bank = np.maximum(np.minimum(up, down), 0)
    if norm == "slaney":
        bank = bank * 2 / (edges[2:] - edges[:-2])
    return jnp.asarray(bank, dtype)


def _centered(window: Array, size: int) -> Array:
    """The window between zeros, in float32 at least."""
    room = size - window.shape[0]
    window = window.astype(jnp.promote_types(window.dtype, jnp.float32))
    return jnp.pad(window, (room // 2, room - room // 2))


def _places(count: int, size: int, hop: int) -> Array:
    """(count, size): where the elements of windows lie in a signal."""
    return hop * jnp.arange(count)[:, None] + jnp.arange(size)


def stft(
    x: Array,
    window: Array,
    *,
    n_fft: int,
    hop: int,
    center: bool,
    onesided: bool,
    normalized: bool,
    pad_mode: str,
) -> Array:
    """Spectra of windows of a signal: (..., time) -> (..., frames, frequencies)."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    if center:
        half = n_fft // 2
        y = jnp.pad(y, [(0, 0)] * (x.ndim - 1) + [(half, half)], mode=pad_mode)
    places = _places((y.shape[-1] - n_fft) // hop + 1, n_fft, hop)
    frames = jnp.take(y, places, axis=-1, mode="clip") * _centered(window, n_fft)
    norm = "ortho" if normalized else "backward"
    if onesided:
        return jnp.fft.rfft(frames, norm=norm)
    return jnp.fft.fft(frames, norm=norm)


def istft(
    x: Array,
    window: Array,
    *,
    n_fft: int,
    hop: int,
    center: bool,
    onesided: bool,
    normalized: bool,
    length: int | None,
) -> Array:
    """The signal whose spectra are nearest: (..., frames, frequencies) -> (..., time)."""
    norm = "ortho" if normalized else "backward"
    frames = (
        jnp.fft.irfft(x, n_fft, norm=norm) if onesided else jnp.fft.ifft(x, norm=norm)
    )
    window = _centered(window, n_fft)
    count = x.shape[-2]
    places = _places(count, n_fft, hop)
    size = (count - 1) * hop + n_fft
    y = jnp.zeros((*x.shape[:-2], size), frames.dtype)
    y = y.at[..., places].add(frames * window)
    weight = jnp.zeros(size, window.dtype).at[places].add(window**2)
    seen = weight > 1e-11
    y = jnp.where(seen, y / jnp.where(seen, weight, 1), 0)
    half = n_fft // 2 if center else 0
    if length is None:
        return y[..., half : size - half]
    y = y[..., half : half + length]
    return jnp.pad(y, [(0, 0)] * (y.ndim - 1) + [(0, length - y.shape[-1])])
