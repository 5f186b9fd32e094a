"""Linear algebra: that of `jax.numpy.linalg`, in float32 at least, as it has no 16 bits."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.scipy import linalg


def solve(a: Array, b: Array) -> Array:
    """The x of a @ x = b, in float32."""
    kind = jnp.result_type(a, b, float)
    wide = jnp.promote_types(kind, jnp.float32)
    x: Array = jnp.linalg.solve(a.astype(wide), b.astype(wide))
    return x.astype(kind)


def solve_triangular(
    a: Array, b: Array, *, lower: bool, transpose: bool, unit_diagonal: bool
) -> Array:
    """The x of a @ x = b, half of a being 0, in float32."""
    kind = jnp.result_type(a, b, float)
    wide = jnp.promote_types(kind, jnp.float32)
    x: Array = linalg.solve_triangular(
        a.astype(wide),
        b.astype(wide),
        trans=transpose,
        lower=lower,
        unit_diagonal=unit_diagonal,
    )
    return x.astype(kind)


def lstsq(a: Array, b: Array) -> Array:
    """The x for which the norm of a @ x - b is least, in float32."""
    kind = jnp.result_type(a, b, float)
    wide = jnp.promote_types(kind, jnp.float32)
    solved = jnp.vectorize(
        lambda a, b: jnp.linalg.lstsq(a, b)[0], signature="(n,m),(n,k)->(m,k)"
    )
    x: Array = solved(a.astype(wide), b.astype(wide))
    return x.astype(kind)


def inv(x: Array) -> Array:
    """The inverse, in float32."""
    y: Array = jnp.linalg.inv(x.astype(jnp.promote_types(x.dtype, jnp.float32)))
    return y.astype(jnp.result_type(x, float))


def pinv(x: Array, *, rtol: float | None) -> Array:
    """The inverse of Moore and Penrose, in float32."""
    y: Array = jnp.linalg.pinv(
        x.astype(jnp.promote_types(x.dtype, jnp.float32)), rtol=rtol
    )
    return y.astype(jnp.result_type(x, float))


def det(x: Array) -> Array:
    """The determinant, in float32."""
    y: Array = jnp.linalg.det(x.astype(jnp.promote_types(x.dtype, jnp.float32)))
    return y.astype(jnp.result_type(x, float))


def slogdet(x: Array) -> tuple[Array, Array]:
    """The sign of the determinant and the logarithm of its absolute value, in float32."""
    kind = jnp.result_type(x, float)
    sign, size = jnp.linalg.slogdet(x.astype(jnp.promote_types(kind, jnp.float32)))
    return sign.astype(kind), size.astype(jnp.result_type(x.real, float))


def cholesky(x: Array, *, upper: bool) -> Array:
    """The l with l @ l.T = x, or l.T, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    factor: Array = jnp.linalg.cholesky(y, upper=upper)
    return factor.astype(jnp.result_type(x, float))


def qr(x: Array, *, mode: str) -> tuple[Array, Array]:
    """q @ r = x, in float32."""
    kind = jnp.result_type(x, float)
    q, r = jnp.linalg.qr(x.astype(jnp.promote_types(kind, jnp.float32)), mode=mode)
    return q.astype(kind), r.astype(kind)


def svd(x: Array, *, full_matrices: bool) -> tuple[Array, Array, Array]:
    """u * s @ vh = x, in float32."""
    kind = jnp.result_type(x, float)
    y = x.astype(jnp.promote_types(kind, jnp.float32))
    u, s, vh = jnp.linalg.svd(y, full_matrices=full_matrices)
    return u.astype(kind), s.astype(jnp.result_type(x.real, float)), vh.astype(kind)


def svdvals(x: Array) -> Array:
    """The singular values, in float32."""
    y: Array = jnp.linalg.svdvals(x.astype(jnp.promote_types(x.dtype, jnp.float32)))
    return y.astype(jnp.result_type(x.real, float))


def eig(x: Array) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors of any square x, complex ones."""
    kind = jnp.promote_types(x.dtype, jnp.float32)
    values, vectors = jnp.linalg.eig(x.astype(kind))
    return values, vectors


def eigvals(x: Array) -> Array:
    """The eigenvalues of any square x, complex ones."""
    kind = jnp.promote_types(x.dtype, jnp.float32)
    y: Array = jnp.linalg.eigvals(x.astype(kind))
    return y


def eigh(x: Array) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors of a symmetric x, in float32."""
    kind = jnp.result_type(x, float)
    values, vectors = jnp.linalg.eigh(x.astype(jnp.promote_types(kind, jnp.float32)))
    return values.astype(jnp.result_type(x.real, float)), vectors.astype(kind)


def eigvalsh(x: Array) -> Array:
    """The eigenvalues of a symmetric x, in float32."""
    y: Array = jnp.linalg.eigvalsh(x.astype(jnp.promote_types(x.dtype, jnp.float32)))
    return y.astype(jnp.result_type(x.real, float))


def matrix_power(x: Array, *, n: int) -> Array:
    """The product of n times x, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    power: Array = jnp.linalg.matrix_power(y, n)
    return power.astype(jnp.result_type(x, float))


def expm(x: Array) -> Array:
    """The exponential of a matrix, in float32."""
    y: Array = linalg.expm(x.astype(jnp.promote_types(x.dtype, jnp.float32)))
    return y.astype(jnp.result_type(x, float))


def matrix_norm(x: Array, *, order: str | int, keepdims: bool) -> Array:
    """A norm of matrices, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    norm: Array = jnp.linalg.matrix_norm(y, ord=order, keepdims=keepdims)
    return norm.astype(jnp.result_type(x.real, float))


def lu(x: Array) -> tuple[Array, Array, Array]:
    """p @ l @ u = x, in float32."""
    kind = jnp.result_type(x, float)
    y = x.astype(jnp.promote_types(kind, jnp.float32))
    factors = jnp.vectorize(linalg.lu, signature="(n,m)->(n,n),(n,k),(k,m)")
    order, lower, upper = factors(y)
    return order.astype(kind), lower.astype(kind), upper.astype(kind)


def cho_solve(factor: Array, b: Array, *, upper: bool) -> Array:
    """The x of a @ x = b, given the factor of Cholesky, in float32."""
    kind = jnp.result_type(factor, b, float)
    wide = jnp.promote_types(kind, jnp.float32)
    solved = jnp.vectorize(
        lambda c, b: linalg.cho_solve((c, not upper), b),
        signature="(n,n),(n,m)->(n,m)",
    )
    x: Array = solved(factor.astype(wide), b.astype(wide))
    return x.astype(kind)


def matrix_rank(x: Array, *, rtol: float | None) -> Array:
    """The number of singular values that are not 0, in float32."""
    y = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    if rtol is None:
        rank: Array = jnp.linalg.matrix_rank(y)
        return rank
    s = jnp.linalg.svdvals(y)  # `matrix_rank` of JAX takes its rtol for absolute
    return jnp.sum(s > rtol * s[..., :1], axis=-1)
