"""Linear maps and embeddings."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array

from .inline import inline


def linear(x: Array, kernel: Array, bias: Array | None = None) -> Array:
    """x @ kernel + bias: (..., in) -> (..., out)."""
    y = x @ kernel
    return y if bias is None else y + bias


def embed(ids: Array, embedding: Array) -> Array:
    """Rows of the table: (...) -> (..., features)."""
    return jnp.take(embedding, ids, axis=0, mode="clip")


@inline
def unembed(x: Array, embedding: Array) -> Array:
    return x @ embedding.T
