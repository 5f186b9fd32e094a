"""Spectrograms against formulas of NumPy and transforms of SciPy."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import ShortTimeFFT, get_window

import blox as bx

SOUND = np.random.default_rng(3).normal(size=(2, 160)).astype(np.float32)


def model(**options: Any) -> Any:
    def main(f: Any, x: Any) -> Any:
        return f.call("mel", bx.recipes.log_mel_spectrogram)(x, **options)

    builder = bx.GraphBuilder("sound")
    builder.entry(main, x=bx.Input(["...", 160], "float"))
    graph = builder.graph()
    assert bx.validate(graph).diagnostics == []
    return bx.build(graph)


@pytest.mark.parametrize("window", ["hanning", "hamming", "blackman"])
def test_log_mel_is_that_of_scipy(window: Any) -> None:
    run = model(
        sample_rate=8000.0, n_fft=32, hop=8, mels=5, window=window, pad_mode="constant"
    )
    found, _ = run({}, SOUND)
    name = {"hanning": "hann"}.get(window, window)
    taper = np.asarray(get_window(name, 32))
    spectra = ShortTimeFFT(taper, 8, 8000.0, mfft=32, phase_shift=None)
    power = np.abs(spectra.stft(SOUND, p0=0, p1=21)) ** 2
    at, edges = np.linspace(0, 4000, 17), np.linspace(0, np.log1p(4000 / 700), 7)
    edges = 700 * np.expm1(edges)
    bank = np.stack([np.interp(at, edges[i : i + 3], [0, 1, 0]) for i in range(5)])
    wanted = np.log(np.maximum(np.einsum("...kt,mk->...tm", power, bank), 1e-10))
    np.testing.assert_allclose(found, wanted, 1e-4, 1e-4)


def test_silence_has_the_floor_and_a_gradient() -> None:
    run = model(sample_rate=8000.0, n_fft=32, hop=8, mels=5, floor=1e-3)
    silence = jnp.zeros(160)
    y, slopes = jax.value_and_grad(lambda x: run({}, x)[0].sum())(silence)
    assert y == pytest.approx(21 * 5 * np.log(1e-3), rel=1e-5)
    assert np.isfinite(slopes).all()
