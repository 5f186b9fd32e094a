"""Linear maps and embeddings, and what else has a kernel of its own."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from .inline import inline


def linear(x: Array, kernel: Array, bias: Array | None = None) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    y = x @ kernel
    return y if bias is None else y + bias


def einsum_linear(
    x: Array, kernel: Array, bias: Array | None = None, *, equation: str
) -> Array:
    """einsum(equation, x, kernel) + bias."""
    y = jnp.einsum(equation, x, kernel)
    return y if bias is None else y + bias


def embed(ids: Array, embedding: Array, *, mode: str) -> Array:
    """Rows of the table: (...) -> (..., features)."""
    return jnp.take(embedding, ids, axis=0, mode=mode)


@inline
def unembed(x: Array, embedding: Array) -> Array:
    return x @ embedding.T


def bilinear(x: Array, other: Array, kernel: Array, bias: Array | None = None) -> Array:
    """sum(x[i] * other[j] * kernel[i, j, k]) + bias: (..., i), (..., j) -> (..., k)."""
    y = jnp.einsum("...i,...j,ijk->...k", x, other, kernel)
    return y if bias is None else y + bias


def lora(y: Array, x: Array, a: Array, b: Array, *, rank: int, alpha: float) -> Array:
    """y + (x @ a) @ b * (alpha / rank)."""
    return y + (x @ a) @ b * (alpha / rank)


def prelu(x: Array, slope: Array) -> Array:
    """x where x >= 0, else slope * x."""
    return jnp.where(x >= 0, x, slope * x)
