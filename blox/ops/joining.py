"""Arrays joined, and parts of one."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array

concatenate = jnp.concatenate
stack = jnp.stack


def split(x: Array, *, sections: int | Sequence[int], axis: int) -> Sequence[Array]:
    """Equal parts, or parts of given sizes, along axis."""
    if isinstance(sections, int):
        return jnp.split(x, sections, axis=axis)
    return jax.lax.split(x, sections, axis=axis)
