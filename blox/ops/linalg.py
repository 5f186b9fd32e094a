"""Linear algebra: that of `jax.numpy.linalg`, in float32 at least, as it has no 16 bits."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.scipy import linalg


def wide(x: Array) -> Array:
    """x in float32 at least."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def narrow(y: Array, x: Array) -> Array:
    """y in the floating type of x."""
    return y.astype(jnp.result_type(x.dtype, 0.0))


def solve(a: Array, b: Array) -> Array:
    """The x of a @ x = b."""
    return narrow(jnp.linalg.solve(wide(a), wide(b)), b)


def solve_triangular(
    a: Array, b: Array, *, lower: bool, transpose: bool, unit_diagonal: bool
) -> Array:
    """The x of a @ x = b, half of a being 0."""
    x = linalg.solve_triangular(
        wide(a), wide(b), transpose, lower=lower, unit_diagonal=unit_diagonal
    )
    return narrow(x, b)


def lstsq(a: Array, b: Array) -> Array:
    """The x for which the norm of a @ x - b is least."""
    solved = jnp.vectorize(
        lambda a, b: jnp.linalg.lstsq(a, b)[0], signature="(n,m),(n,k)->(m,k)"
    )
    return narrow(solved(wide(a), wide(b)), b)


def inv(x: Array) -> Array:
    """The inverse."""
    return narrow(jnp.linalg.inv(wide(x)), x)


def pinv(x: Array, *, rtol: float | None) -> Array:
    """The inverse of Moore and Penrose."""
    return narrow(jnp.linalg.pinv(wide(x), rtol=rtol), x)


def det(x: Array) -> Array:
    """The determinant."""
    return narrow(jnp.linalg.det(wide(x)), x)


def slogdet(x: Array) -> tuple[Array, Array]:
    """The sign of the determinant and the logarithm of its absolute value."""
    sign, logarithm = jnp.linalg.slogdet(wide(x))
    return narrow(sign, x), narrow(logarithm, x)


def cholesky(x: Array, *, upper: bool) -> Array:
    """The l with l @ l.T = x, or l.T."""
    return narrow(jnp.linalg.cholesky(wide(x), upper=upper), x)


def qr(x: Array, *, mode: str) -> tuple[Array, Array]:
    """q @ r = x."""
    q, r = jnp.linalg.qr(wide(x), mode=mode)
    return narrow(q, x), narrow(r, x)


def svd(x: Array, *, full_matrices: bool) -> tuple[Array, Array, Array]:
    """u * s @ vh = x."""
    u, s, vh = jnp.linalg.svd(wide(x), full_matrices=full_matrices)
    return narrow(u, x), narrow(s, x), narrow(vh, x)


def svdvals(x: Array) -> Array:
    """The singular values."""
    return narrow(jnp.linalg.svdvals(wide(x)), x)


def eigh(x: Array) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors of a symmetric x."""
    values, vectors = jnp.linalg.eigh(wide(x))
    return narrow(values, x), narrow(vectors, x)


def eigvalsh(x: Array) -> Array:
    """The eigenvalues of a symmetric x."""
    return narrow(jnp.linalg.eigvalsh(wide(x)), x)


def matrix_power(x: Array, *, n: int) -> Array:
    """The product of n times x."""
    return narrow(jnp.linalg.matrix_power(wide(x), n), x)


def expm(x: Array) -> Array:
    """The exponential of a matrix."""
    return narrow(linalg.expm(wide(x)), x)


def matrix_norm(x: Array, *, ord: str | int, keepdims: bool) -> Array:
    """A norm of matrices."""
    return narrow(jnp.linalg.matrix_norm(wide(x), ord=ord, keepdims=keepdims), x)
