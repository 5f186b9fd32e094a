"""Discrete Fourier transforms: those of `jax.numpy.fft`, in float32 at least."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array

from .inline import inline

fft = jnp.fft.fft
ifft = jnp.fft.ifft
irfft = jnp.fft.irfft
hfft = jnp.fft.hfft
fft2 = jnp.fft.fft2
ifft2 = jnp.fft.ifft2
irfft2 = jnp.fft.irfft2


def rfft(x: Array, *, n: int | None, axis: int, norm: str) -> Array:
    """Half of the transform of real x, in float32 at least."""
    wide = jnp.promote_types(x.dtype, jnp.float32)
    return jnp.fft.rfft(x.astype(wide), n=n, axis=axis, norm=norm)


def ihfft(x: Array, *, n: int | None, axis: int, norm: str) -> Array:
    """Half of the inverse transform of real x, in float32 at least."""
    wide = jnp.promote_types(x.dtype, jnp.float32)
    return jnp.fft.ihfft(x.astype(wide), n=n, axis=axis, norm=norm)


def rfft2(x: Array, *, s: Sequence[int] | None, norm: str) -> Array:
    """Half of the transform of the last two axes of real x, in float32 at least."""
    wide = jnp.promote_types(x.dtype, jnp.float32)
    return jnp.fft.rfft2(x.astype(wide), s=s, norm=norm)


@inline
def fftn(x: Array, *, s: Sequence[int] | None, axis: Sequence[int], norm: str) -> Array:
    return jnp.fft.fftn(x, s, axis, norm)


@inline
def ifftn(
    x: Array, *, s: Sequence[int] | None, axis: Sequence[int], norm: str
) -> Array:
    return jnp.fft.ifftn(x, s, axis, norm)


def rfftn(
    x: Array, *, s: Sequence[int] | None, axis: Sequence[int], norm: str
) -> Array:
    """Half of the transform of several axes of real x, in float32 at least."""
    wide = jnp.promote_types(x.dtype, jnp.float32)
    return jnp.fft.rfftn(x.astype(wide), s=s, axes=axis, norm=norm)


@inline
def irfftn(
    x: Array, *, s: Sequence[int] | None, axis: Sequence[int], norm: str
) -> Array:
    return jnp.fft.irfftn(x, s, axis, norm)


def fftfreq(*, n: int, d: float, dtype: Any) -> Array:
    """Frequencies in cycles, the negative ones behind."""
    wide = jnp.promote_types(dtype, jnp.float32)
    return jnp.fft.fftfreq(n, d, dtype=wide).astype(dtype)


def rfftfreq(*, n: int, d: float, dtype: Any) -> Array:
    """Frequencies in cycles that are not negative."""
    wide = jnp.promote_types(dtype, jnp.float32)
    return jnp.fft.rfftfreq(n, d, dtype=wide).astype(dtype)


@inline
def fftshift(x: Array, *, axis: Sequence[int]) -> Array:
    return jnp.fft.fftshift(x, axes=axis)


@inline
def ifftshift(x: Array, *, axis: Sequence[int]) -> Array:
    return jnp.fft.ifftshift(x, axes=axis)
