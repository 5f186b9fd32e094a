"""Linear algebra of the last two axes, those of `jax.numpy.linalg`, in float32 at least.

Matrices (..., n, n) have any leading dims. Of complex ones `.T` is the conjugate transpose, and
symmetric ones are equal to theirs; `solve_triangular` transposes alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from ..deferred import Op
from ..fields import Float, Int, Tensor
from ..problems import Problem


class Matrix(Op):
    """The base of functions of one matrix."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    x: Tensor


class Solve(Op):
    """The x of `a @ x = b`. (..., n, n), (..., n, m) -> (..., n, m).

    A vector b of shape (n,) gives one for each a.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ("b",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["solve"] = "solve"
    a: Tensor
    b: Tensor


class SolveTriangular(Op):
    """The x of `a @ x = b` where a is 0 above the diagonal, or below it without `lower`.

    (..., n, n), (..., n, m) -> (..., n, m). The other half of a isn't read, with
    `unit_diagonal` neither the diagonal, which is 1. With `transpose` a is transposed,
    after it was read.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ("b",)
    ALSO: ClassVar[tuple[str, ...]] = ("triangular_solve",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["solve_triangular"] = "solve_triangular"
    a: Tensor
    b: Tensor
    lower: bool
    transpose: bool = False
    unit_diagonal: bool = False


class Lstsq(Op):
    """The x of least norm of those for which that of `a @ x - b` is least.

    (..., n, m), (..., n, k) -> (..., m, k). Singular values below float's eps times the
    greater of n and m times the greatest of them are 0.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    COMPLEX: ClassVar[bool] = True

    op: Literal["lstsq"] = "lstsq"
    a: Tensor
    b: Tensor


class Inv(Matrix):
    """The inverse. (..., n, n) -> (..., n, n)."""

    ALSO: ClassVar[tuple[str, ...]] = ("inverse", "matrix_inverse")
    COMPLEX: ClassVar[bool] = True

    op: Literal["inv"] = "inv"


class Pinv(Matrix):
    """Moore and Penrose's inverse. (..., n, m) -> (..., m, n).

    Singular values of at most `rtol` times the greatest are 0; null being 10 times
    float's eps times the greater of n and m.
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["pinv"] = "pinv"
    rtol: Float | None = None


class Det(Matrix):
    """The determinant. (..., n, n) -> (...)."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["det"] = "det"


class Slogdet(Matrix):
    """The sign of the determinant and the logarithm of its absolute value.

    (..., n, n) -> (...), (...).
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = ("sign", "logabsdet")
    COMPLEX: ClassVar[bool] = True

    op: Literal["slogdet"] = "slogdet"


class Cholesky(Matrix):
    """The l with `l @ l.T = x`, 0 above the diagonal; with `upper`, the u = l.T.

    (..., n, n) -> (..., n, n). x is made symmetric before, `(x + x.T) / 2`; NaN where that
    isn't positive definite.
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["cholesky"] = "cholesky"
    upper: bool = False


class Qr(Matrix):
    """`q @ r = x`, the columns of q being orthonormal, r being 0 below the diagonal.

    (..., n, n) -> (..., n, n), (..., n, n). Of n rows and m columns q has as many columns,
    and r as many rows, as the less of n and m, or n with mode `complete`.
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = ("q", "r")
    COMPLEX: ClassVar[bool] = True

    op: Literal["qr"] = "qr"
    mode: Literal["reduced", "complete"] = "reduced"


class Svd(Matrix):
    """`u * s @ vh = x`: singular values s from the greatest down, u and vh orthonormal.

    (..., n, n) -> (..., n, n), (..., n), (..., n, n). Of n rows and m columns s has the less
    of n and m; without `full_matrices` u has as many columns and vh as many rows, else
    both are square.
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = ("u", "s", "vh")
    COMPLEX: ClassVar[bool] = True

    op: Literal["svd"] = "svd"
    full_matrices: bool = True


class SvdVals(Matrix):
    """The singular values, from the greatest down. (..., n, n) -> (..., n)."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["svdvals"] = "svdvals"


class Eig(Matrix):
    """`x @ v = w * v` of any square x: eigenvalues w, and eigenvectors v of norm 1, its
    columns.

    (..., n, n) -> w (..., n), v (..., n, n), both complex, in no order; the phase of a
    vector has no meaning. On CPUs and GPUs alone. JAX has no gradient of it.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    OUTPUTS: ClassVar[tuple[str, ...]] = ("eigenvalues", "eigenvectors")
    COMPLEX: ClassVar[bool] = True

    op: Literal["eig"] = "eig"


class Eigvals(Matrix):
    """The eigenvalues of a square matrix, complex and in no order. (..., n, n) -> (..., n).

    On CPUs and GPUs alone. The gradient is that of eigenvalues which all differ.
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["eigvals"] = "eigvals"


class Eigh(Matrix):
    """`v * w @ v.T = x` of a symmetric x: eigenvalues w from the least up, eigenvectors as
    columns of v. (..., n, n) -> (..., n), (..., n, n).

    x is made symmetric before, `(x + x.T) / 2`.
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = ("eigenvalues", "eigenvectors")
    COMPLEX: ClassVar[bool] = True

    op: Literal["eigh"] = "eigh"


class Eigvalsh(Matrix):
    """The eigenvalues of a symmetric matrix, from the least up. (..., n, n) -> (..., n)."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["eigvalsh"] = "eigvalsh"


class MatrixPower(Matrix):
    """The product of `n` times x, of the inverse where n < 0; |n| is at most 1024.

    (..., k, k) -> (..., k, k).
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["matrix_power"] = "matrix_power"
    n: Int

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.n, int) and abs(self.n) > 1024:
            yield Problem.expected("n", "-1024 to 1024", self.n)

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        return self.problems()  # of a number that a dim decides


class Expm(Matrix):
    """The sum of `x ** k / k!` over k = 0, 1, ..., products being of matrices.

    (..., n, n) -> (..., n, n). It is scaled by at most 2 ** -16 and squared as often. Higham,
    "The scaling and squaring method for the matrix exponential revisited", 2005.
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["expm"] = "expm"


class MatrixNorm(Matrix):
    """A norm of matrices. (..., n, m) -> (...), or (..., 1, 1) with `keepdims`.

    `order` is `fro`, `sqrt(sum(x ** 2))`; `nuc`, the sum of the singular values; 2 or -2, the
    greatest or the least of these; 1 or -1, the greatest or the least sum of absolute
    values of a column.
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["matrix_norm"] = "matrix_norm"
    order: Literal["fro", "nuc", 1, -1, 2, -2] = "fro"
    keepdims: bool = False


class Lu(Matrix):
    """`p @ l @ u = x` by elimination: p has rows of the identity in another order, l is 0
    above the diagonal and 1 on it, u is 0 below.

    (..., n, n) -> (..., n, n), (..., n, n), (..., n, n).
    """

    OUTPUTS: ClassVar[tuple[str, ...]] = ("p", "l", "u")
    COMPLEX: ClassVar[bool] = True

    op: Literal["lu"] = "lu"


class ChoSolve(Op):
    """The x of `a @ x = b`, given `cholesky(a)`, or with `upper` that with `upper`.

    (..., n, n), (..., n, m) -> (..., n, m).
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ("b",)
    ALSO: ClassVar[tuple[str, ...]] = ("cholesky_solve",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["cho_solve"] = "cho_solve"
    factor: Tensor
    b: Tensor
    upper: bool = False


class MatrixRank(Matrix):
    """The number of singular values above `rtol` times the greatest. (..., n, m) -> (...)
    integer.

    Null is float's eps times the greater of n and m.
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["matrix_rank"] = "matrix_rank"
    rtol: Float | None = None
