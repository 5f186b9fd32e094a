"""Products of vectors and matrices, and parts of matrices."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array

from .inline import inline

vecdot = jnp.vecdot
tril = jnp.tril
triu = jnp.triu
diff = jnp.diff
polyval = jnp.polyval


def cross(a: Array, b: Array, *, axis: int) -> Array:
    """The vector product along axis."""
    y: Array = jnp.linalg.cross(a, b, axis=axis)
    return y


@inline
def outer(a: Array, b: Array) -> Array:
    return a[..., :, None] * b[..., None, :]


def kron(a: Array, b: Array) -> Array:
    """Blocks a[i, j] * b."""
    blocks = a[..., :, None, :, None] * b[..., None, :, None, :]
    (n, k), (m, q) = blocks.shape[-4:-2], blocks.shape[-2:]
    return blocks.reshape(*blocks.shape[:-4], n * k, m * q)


def diag(x: Array) -> Array:
    """x on the diagonal of a matrix, 0 beside it."""
    return jnp.where(jnp.eye(x.shape[-1], dtype=bool), x[..., None], 0)


def fill_diagonal(x: Array, value: Array | float) -> Array:
    """x with value on the diagonal."""
    rows, columns = x.shape[-2:]
    return jnp.where(jnp.eye(rows, columns, dtype=bool), value, x)


def rot90(x: Array, *, k: int, axis1: int, axis2: int) -> Array:
    """x turned by k quarters, from axis1 to axis2."""
    return jnp.rot90(x, k, (axis1, axis2))


def diagonal(x: Array, *, offset: int, axis1: int, axis2: int) -> Array:
    """x[i, i + offset] for all i."""
    y: Array = jnp.diagonal(x, offset=offset, axis1=axis1, axis2=axis2)
    return y


@inline
def trace(x: Array, *, offset: int, axis1: int, axis2: int) -> Array:
    return jnp.trace(x, offset=offset, axis1=axis1, axis2=axis2)


def trapezoid(x: Array, *, dx: float, axis: int) -> Array:
    """The integral of x along axis by trapezoids."""
    return jnp.trapezoid(x, dx=dx, axis=axis)


def scaled_matmul(
    a: Array, b: Array, a_scales: Array, b_scales: Array, *, dtype: Any
) -> Array:
    """a @ b.mT, each block along the last axes times its scale, in float32."""
    scaled = []
    for x, scales in ((a, a_scales), (b, b_scales)):
        wide = jnp.promote_types(jnp.promote_types(x.dtype, scales.dtype), jnp.float32)
        each = jnp.repeat(scales.astype(wide), x.shape[-1] // scales.shape[-1], axis=-1)
        scaled.append(x.astype(wide) * each)
    left, right = scaled
    return (left @ right.mT).astype(dtype)
