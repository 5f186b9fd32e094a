"""Products of vectors and matrices, and parts of matrices, over any leading dims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from ..deferred import Op
from ..dtypes import DType
from ..fields import Float, Int, Size, Tensor
from ..problems import Problem


class Product(Op):
    """The base of products of two operands."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()

    a: Tensor
    b: Tensor


class Vecdot(Product):
    """`sum(conj(a) * b)` along `axis`. (..., n), (..., n) -> (...) at axis -1."""

    ALSO: ClassVar[tuple[str, ...]] = ("vdot", "inner")
    COMPLEX: ClassVar[bool] = True

    op: Literal["vecdot"] = "vecdot"
    axis: Int = -1


class Outer(Product):
    """`a[i] * b[j]`. (..., n), (..., m) -> (..., n, m)."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["outer"] = "outer"


class Cross(Product):
    """The vector product along `axis`. (..., 3), (..., 3) -> (..., 3) at axis -1."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["cross"] = "cross"
    axis: Int = -1


class Kron(Product):
    """Kronecker's product: blocks `a[i, j] * b`.

    (..., n, m), (..., k, q) -> (..., n * k, m * q).
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["kron"] = "kron"


class Diag(Op):
    """x on the diagonal of a matrix, 0 beside it. (..., n) -> (..., n, n)."""

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    ALSO: ClassVar[tuple[str, ...]] = ("diag_embed", "diagflat")
    COMPLEX: ClassVar[bool] = True

    op: Literal["diag"] = "diag"
    x: Tensor


class FillDiagonal(Op):
    """x with `value` on the diagonal of its last two axes.

    (..., n, m), (..., n, 1) -> (..., n, m): value has one for each row, or is any number
    or array that broadcasts.
    """

    op: Literal["fill_diagonal"] = "fill_diagonal"
    x: Tensor
    value: Tensor


class Rot90(Op):
    """x turned by `k` quarters in the plane of two axes, from the first to the second.

    (..., n, m) -> (..., m, n) for k 1, axes -2 and -1. `jnp.rot90`.
    """

    COMPLEX: ClassVar[bool] = True

    op: Literal["rot90"] = "rot90"
    x: Tensor
    k: Int = 1
    axis1: Int = -2
    axis2: Int = -1


class Diagonal(Op):
    """`x[i, i + offset]` for all i. (..., n, n) -> (..., n) for axes -2, -1, offset 0."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["diagonal"] = "diagonal"
    x: Tensor
    offset: Int = 0
    axis1: Int = -2
    axis2: Int = -1


class Trace(Op):
    """The sum of `diagonal`. (..., n, m) -> (...) for axes -2, -1."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["trace"] = "trace"
    x: Tensor
    offset: Int = 0
    axis1: Int = -2
    axis2: Int = -1


class Tril(Op):
    """x with 0 above diagonal `k` of its last two axes. (..., n, m) -> (..., n, m)."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["tril"] = "tril"
    x: Tensor
    k: Int = 0


class Triu(Op):
    """x with 0 below diagonal `k` of its last two axes. (..., n, m) -> (..., n, m)."""

    COMPLEX: ClassVar[bool] = True

    op: Literal["triu"] = "triu"
    x: Tensor
    k: Int = 0


class Diff(Op):
    """`x[i + 1] - x[i]` along `axis`, `n` times, at most 64.

    (..., k) -> (..., k - 1) for n 1 and axis -1.
    """

    COMPLEX: ClassVar[bool] = True
    ALSO: ClassVar[tuple[str, ...]] = ("ediff1d",)

    op: Literal["diff"] = "diff"
    x: Tensor
    n: Size = 1
    axis: Int = -1

    def problems(self) -> Iterator[Problem]:
        if isinstance(self.n, int) and self.n > 64:
            yield Problem.expected("n", "at most 64", self.n)

    def operand_problems(
        self, shapes: Mapping[str, Sequence[Any]]
    ) -> Iterator[Problem]:
        return self.problems()  # of a number that a dim decides


class Trapezoid(Op):
    """The integral of x along `axis` by trapezoids, values being `dx` apart.

    (..., n) -> (...) at axis -1.
    """

    ALSO: ClassVar[tuple[str, ...]] = ("trapz",)
    COMPLEX: ClassVar[bool] = True

    op: Literal["trapezoid"] = "trapezoid"
    x: Tensor
    dx: Float = 1.0
    axis: Int = -1


class PolyVal(Op):
    """`sum(p[..., k] * x ** (n - 1 - k))` for a polynomial p of n coefficients, the
    highest power first. p (n,), x (...) -> (...).
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ()
    COMPLEX: ClassVar[bool] = True

    op: Literal["polyval"] = "polyval"
    p: Tensor
    x: Tensor


class ScaledMatmul(Op):
    """`y[i, j] = sum(a[i, k] * b[j, k])` of two arrays with a scale for each block of k.

    a (..., n, 4 * i), b (..., m, 4 * i), a_scales (..., n, i), b_scales (..., m, 2 * i) ->
    (..., n, m) for blocks of 4 elements in a row of a and of 2 in b. `jax.nn.scaled_matmul`,
    for any dtypes: computed in float32, as `dtype` says then.
    """

    CONTINUES: ClassVar[tuple[str, ...]] = ("a",)

    op: Literal["scaled_matmul"] = "scaled_matmul"
    a: Tensor
    b: Tensor
    a_scales: Tensor
    b_scales: Tensor
    dtype: DType = "float"
