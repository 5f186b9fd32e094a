"""Signals: windows and filters, made of attributes alone."""

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
