"""Grids and places in them: `jax.numpy`'s functions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import Array

from .inline import inline


@inline
def indices(*, dimensions: Sequence[int], dtype: Any) -> Array:
    return jnp.indices(dimensions, dtype)


def meshgrid(xs: Sequence[Array], *, indexing: str) -> Sequence[Array]:
    """The coordinates of a grid, of those along each axis."""
    axes = [f"(n{i})" for i in range(len(xs))]
    order = [*range(len(xs))]
    if indexing == "xy":
        order[:2] = order[1::-1]
    grid = "(" + ",".join(f"n{i}" for i in order) + ")"
    signature = ",".join(axes) + "->" + ",".join([grid] * len(xs))
    make = partial(jnp.meshgrid, indexing=indexing)
    made = jnp.vectorize(lambda *x: tuple(make(*x)), signature=signature)(*xs)
    return made if len(xs) > 1 else [made]


def unravel_index(indices: Array, *, shape: Sequence[int]) -> Sequence[Array]:
    """Where elements lie, of their number in row-major order."""
    return jnp.unravel_index(indices, tuple(shape))


def ravel_multi_index(
    xs: Sequence[Array], *, dimensions: Sequence[int], mode: str
) -> Array:
    """The number in row-major order of elements at indices."""
    return jnp.ravel_multi_index(tuple(xs), tuple(dimensions), mode=mode)
