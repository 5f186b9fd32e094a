"""Cells of recurrent networks: one step in time."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array


def lstm_cell(
    x: Array,
    h: Array,
    c: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None = None,
) -> tuple[Array, Array]:
    """(h, c) of the next step: x (..., in), h and c (..., units)."""
    y = x @ kernel + h @ recurrent_kernel
    y = y if bias is None else y + bias
    i, f, g, o = jnp.split(y, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru_cell(
    x: Array,
    h: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None = None,
    recurrent_bias: Array | None = None,
    *,
    variant: str,
) -> Array:
    """h of the next step: x (..., in), h (..., units)."""
    a = x @ kernel
    a = a if bias is None else a + bias
    a_r, a_z, a_n = jnp.split(a, 3, axis=-1)
    if variant == "reset_after":
        b = h @ recurrent_kernel
        b = b if recurrent_bias is None else b + recurrent_bias
        b_r, b_z, b_n = jnp.split(b, 3, axis=-1)
        r, z = jax.nn.sigmoid(a_r + b_r), jax.nn.sigmoid(a_z + b_z)
        n = jnp.tanh(a_n + r * b_n)
        return (1 - z) * n + z * h
    units = h.shape[-1]
    b = h @ recurrent_kernel[:, :-units]
    b = b if recurrent_bias is None else b + recurrent_bias[:-units]
    b_r, b_z = jnp.split(b, 2, axis=-1)
    r, z = jax.nn.sigmoid(a_r + b_r), jax.nn.sigmoid(a_z + b_z)
    n = (r * h) @ recurrent_kernel[:, -units:]
    n = n if recurrent_bias is None else n + recurrent_bias[-units:]
    return (1 - z) * jnp.tanh(a_n + n) + z * h


def rnn_cell(
    x: Array,
    h: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None = None,
    *,
    activation: str,
) -> Array:
    """h of the next step: x (..., in), h (..., units)."""
    y = x @ kernel + h @ recurrent_kernel
    y = y if bias is None else y + bias
    return jnp.tanh(y) if activation == "tanh" else jax.nn.relu(y)
