"""Rows of the ops of `schema/ops/signal.py`."""

from __future__ import annotations

from typing import Any

import numpy as np
from ops.row import TORCH, Row, Rows, numbers
from scipy.signal import ShortTimeFFT


def _windows(*weights: float) -> list[Row]:
    """A sum of cosines of 9 elements, which are a period or more than one."""

    def wave(m: int) -> Any:
        angles = 2 * np.pi * np.arange(9) / m
        return sum(w * np.cos(i * angles) for i, w in enumerate(weights))

    rows = [
        Row({"size": 9, "periodic": periodic}, reference=lambda m=m: wave(m))
        for m, periodic in ((8, False), (9, True))
    ]
    one = Row({"size": 1, "periodic": True}, reference=lambda: np.ones(1))
    return [*rows, one]


def _bank(edges: Any, top: float) -> Any:
    """Triangles over 33 frequencies up to `top` Hz."""
    at = np.linspace(0, top, 33)
    bands = [np.interp(at, edges[i : i + 3], [0, 1, 0]) for i in range(len(edges) - 2)]
    return np.stack(bands, -1)


normal = numbers(43)
SOUND = normal(2, 21)
WINDOW = np.abs(normal(8)) + np.float32(0.5)
SHORT = np.abs(normal(5)) + np.float32(0.5)


def _scipy(window: Any, size: int, hop: int) -> ShortTimeFFT:
    """Frames of windows whose middle is at multiples of `hop`."""
    return ShortTimeFFT(window, hop, fs=1, mfft=size, phase_shift=None)


def _frames(x: Any, window: Any, size: int, hop: int) -> Any:
    """The frames of `size` of a signal, times the window between zeros."""
    room = size - len(window)
    window = np.pad(window, (room // 2, room - room // 2))
    ends = range(size, x.shape[-1] + 1, hop)
    return np.stack([x[..., end - size : end] * window for end in ends], -2)


def _added(frames: Any, window: Any, hop: int, complete: int) -> Any:
    """The frames times the window, added up, over the sum of its squares."""
    size = frames.shape[-1]
    room = size - len(window)
    window = np.pad(window, (room // 2, room - room // 2))
    y = np.zeros((*frames.shape[:-2], complete), frames.dtype)
    weight = np.zeros(complete)
    for m in range(frames.shape[-2]):
        y[..., m * hop : m * hop + size] += frames[..., m, :] * window
        weight[m * hop : m * hop + size] += window**2
    return y / np.where(weight > 0, weight, 1)


SPECTRA = np.fft.rfft(normal(2, 5, 8)).astype(np.complex64)
BOTH = (normal(2, 5, 8) + 1j * normal(2, 5, 8)).astype(np.complex64)


HTK = 700 * np.expm1(np.linspace(0, np.log1p(4000 / 700), 7))

ROWS: Rows = {
    "bartlett": [
        Row({"size": 9, "periodic": False}, reference=lambda: np.bartlett(9)),
        Row({"size": 8, "periodic": True}, reference=lambda: np.bartlett(9)[:-1]),
        Row({"size": 1, "periodic": True}, reference=lambda: np.ones(1)),
    ],
    "kaiser": [
        Row(
            {"size": 9, "periodic": False, "beta": 4.5},
            reference=lambda: np.kaiser(9, 4.5),
        ),
        Row(
            {"size": 8, "periodic": True, "beta": 0.5},
            reference=lambda: np.kaiser(9, 0.5)[:-1],
        ),
    ],
    "hanning": _windows(0.5, -0.5),
    "hamming": _windows(0.54, -0.46),
    "blackman": _windows(0.42, -0.5, 0.08),
    "mel_filter_bank": [
        Row(
            {
                "num_frequencies": 33,
                "num_mels": 5,
                "sample_rate": 8000.0,
                "high": 4000.0,
            }
            | {"scale": "htk", "norm": "none"},
            reference=lambda: _bank(HTK, 4000),
        ),
        Row(
            {"num_frequencies": 33, "num_mels": 6, "sample_rate": 16000.0, "low": 50.0}
            | {"high": 7000.0, "scale": "slaney", "norm": "slaney"},
            reference=TORCH,
        ),
    ],
    "stft": [
        Row(
            {"n_fft": 8, "hop": 3, "pad_mode": "constant"},
            (SOUND, WINDOW),
            reference=lambda x, w: _scipy(w, 8, 3).stft(x, p0=0, p1=8).swapaxes(-1, -2),
            lead=(0,),
            heavy=True,
        ),
        Row(
            {"n_fft": 9, "hop": 2, "normalized": True},
            (SOUND, SHORT),
            reference=lambda x, w: np.fft.rfft(
                _frames(np.pad(x, [(0, 0), (4, 4)], "reflect"), w, 9, 2), norm="ortho"
            ),
            lead=(0,),
        ),
        Row(
            {"n_fft": 8, "hop": 4, "center": False, "onesided": False},
            ((SOUND + 1j * SOUND[::-1]).astype(np.complex64), WINDOW),
            reference=lambda x, w: np.fft.fft(_frames(x, w, 8, 4)),
            lead=(0,),
        ),
    ],
    "istft": [
        Row(
            {"n_fft": 8, "hop": 3},
            (SPECTRA, WINDOW),
            reference=lambda x, w: _added(np.fft.irfft(x, 8), w, 3, 20)[..., 4:16],
            lead=(0,),
            heavy=True,
        ),
        Row(
            {"n_fft": 8, "hop": 3, "length": 18, "normalized": True},
            (SPECTRA, SHORT),
            reference=lambda x, w: np.pad(
                _added(np.fft.irfft(x, 8, norm="ortho"), w, 3, 20)[..., 4:],
                [(0, 0), (0, 2)],
            ),
            lead=(0,),
        ),
        Row(
            {"n_fft": 8, "hop": 4, "center": False, "onesided": False},
            (BOTH, WINDOW),
            reference=lambda x, w: _added(np.fft.ifft(x), w, 4, 24),
            lead=(0,),
        ),
    ],
}
