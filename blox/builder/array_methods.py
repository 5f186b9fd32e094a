"""Operators, indexing and methods of `jax.Array` on values, each of which writes a node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeAlias, cast

from blox.schema.alike import ops_like

from .indexing import ArrayLike, At, computed
from .method_arguments import axis_of, dtype_name, is_list
from .sizes import Dim

Other: TypeAlias = "ArrayMethods | int | float | complex | str"


class ArrayMethods(ArrayLike):
    """What arrays can do, as far as one op does it."""

    __slots__ = ()
    __array_ufunc__ = None  # an array of NumPy leaves its operators to a value

    def _op(self, op: str, *operands: Any, **fields: Any) -> Self:
        value: Self = getattr(self.builder, op)(*operands, **fields)
        return value

    if not TYPE_CHECKING:  # to a type checker there are no others

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(name)
            near = " or ".join(f"f.{op}" for op in ops_like(name))
            raise AttributeError(
                f"expected what a value has, found {name!r}; "
                + (f"did you mean {near}?" if near else "ops are methods of f")
            )

    # Operators ---------------------------------------------------------------------

    def __add__(self, other: Other) -> Self:
        return self._operator("add", other)

    def __radd__(self, other: Other) -> Self:
        return self._operator("add", other, swapped=True)

    def __sub__(self, other: Other) -> Self:
        return self._operator("subtract", other)

    def __rsub__(self, other: Other) -> Self:
        return self._operator("subtract", other, swapped=True)

    def __mul__(self, other: Other) -> Self:
        return self._operator("multiply", other)

    def __rmul__(self, other: Other) -> Self:
        return self._operator("multiply", other, swapped=True)

    def __truediv__(self, other: Other) -> Self:
        return self._operator("divide", other)

    def __rtruediv__(self, other: Other) -> Self:
        return self._operator("divide", other, swapped=True)

    def __floordiv__(self, other: Other) -> Self:
        return self._operator("floor_divide", other)

    def __rfloordiv__(self, other: Other) -> Self:
        return self._operator("floor_divide", other, swapped=True)

    def __mod__(self, other: Other) -> Self:
        return self._operator("remainder", other)

    def __rmod__(self, other: Other) -> Self:
        return self._operator("remainder", other, swapped=True)

    def __pow__(self, other: Other) -> Self:
        return self._operator("power", other)

    def __rpow__(self, other: Other) -> Self:
        return self._operator("power", other, swapped=True)

    def __matmul__(self, other: Self) -> Self:
        return self._operator("matmul", other)

    def __eq__(self, other: object) -> Self:  # type: ignore[override]
        return self._operator("equal", other)

    def __ne__(self, other: object) -> Self:  # type: ignore[override]
        return self._operator("not_equal", other)

    def __lt__(self, other: Other) -> Self:
        return self._operator("less", other)

    def __le__(self, other: Other) -> Self:
        return self._operator("less_equal", other)

    def __gt__(self, other: Other) -> Self:
        return self._operator("greater", other)

    def __ge__(self, other: Other) -> Self:
        return self._operator("greater_equal", other)

    def __and__(self, other: Self | bool) -> Self:
        return self._logical("logical_and", other)

    def __or__(self, other: Self | bool) -> Self:
        return self._logical("logical_or", other)

    __rand__, __ror__ = __and__, __or__

    def __invert__(self) -> Self:
        return self._logical("logical_not")

    def __neg__(self) -> Self:
        return self._op("negative", self)

    def __pos__(self) -> Self:
        return self

    def __abs__(self) -> Self:
        return self._op("abs", self)

    def _operator(self, kind: str, other: Any, *, swapped: bool = False) -> Self:
        if isinstance(other, complex):
            real = self.builder.constant(other.real, "float32")
            other = self.builder.complex(real, other.imag)
        numeric = isinstance(other, (int, float, Dim))
        text = isinstance(other, str) and other.startswith("$")
        if not isinstance(other, ArrayMethods) and not numeric and not text:
            if hasattr(other, "dtype") and hasattr(other, "shape"):
                self.fault(
                    "builder-value",
                    f"expected a value or a number, found {type(other).__name__}",
                    "an array goes into the Graph by f.constant, f.param or f.buffer",
                )
            return cast(Self, NotImplemented)
        a, b = (other, self) if swapped else (self, other)
        return self._op(kind, a, b)

    def _logical(self, kind: str, *other: Any) -> Self:
        for value in (self, *other):
            if isinstance(value, bool):
                continue
            if not isinstance(value, ArrayMethods):
                return cast(Self, NotImplemented)
            if str(value.dtype) != "bool":
                self.fault(
                    "builder-value",
                    f"expected booleans beside & | ~, found {value.dtype}",
                    "compare first: x > 0",
                )
        return self._op(kind, self, *other)

    def __getitem__(self, index: Any) -> Self:
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(part, ArrayLike) for part in parts):
            found: Self = computed(self, parts)
            return found
        return self._op("index", self, At.of(self, parts))

    # Methods -----------------------------------------------------------------------

    def reshape(self, *shape: Any) -> Self:
        """In another shape; a leading `...` stands for all axes but the last."""
        sizes = shape[0] if len(shape) == 1 and is_list(shape[0]) else shape
        given = ["..." if size is Ellipsis else size for size in sizes]
        return self._op("reshape", self, given)

    def astype(self, dtype: Any) -> Self:
        name: Any = dtype if isinstance(dtype, str) else dtype_name(dtype)
        return self._op("astype", self, name)

    def transpose(self, *axes: Any) -> Self:
        order = axes[0] if len(axes) == 1 and is_list(axes[0]) else axes
        rank = self.ndim
        return self._op("transpose", self, list(order or reversed(range(rank))))

    @property
    def T(self) -> Self:
        return self.transpose()

    @property
    def mT(self) -> Self:
        return self.swapaxes(-1, -2)

    @property
    def real(self) -> Self:
        return self._op("real", self)

    @property
    def imag(self) -> Self:
        return self._op("imag", self)

    def conj(self) -> Self:
        return self._op("conj", self)

    def swapaxes(self, axis1: int, axis2: int) -> Self:
        return self._op("swapaxes", self, axis1, axis2)

    def squeeze(self, axis: int | Sequence[int]) -> Self:
        return self._op("squeeze", self, axis_of(axis))

    def take(self, indices: Any, axis: int, mode: Any = "clip") -> Self:
        return self._op("take", self, indices, axis, mode=mode)

    def repeat(self, repeats: int, axis: int) -> Self:
        return self._op("repeat_elements", self, repeats, axis)

    def flatten(self) -> Self:
        return self.reshape(-1)

    ravel = flatten

    def sum(self, axis: Any = None, keepdims: bool = False) -> Self:
        return self._op("sum", self, axis_of(axis), keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Self:
        return self._op("mean", self, axis_of(axis), keepdims=keepdims)

    def prod(self, axis: Any = None, keepdims: bool = False) -> Self:
        return self._op("prod", self, axis_of(axis), keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Self:
        return self._op("max", self, axis_of(axis), keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Self:
        return self._op("min", self, axis_of(axis), keepdims=keepdims)

    def any(self, axis: Any = None, keepdims: bool = False) -> Self:
        return self._op("any", self, axis_of(axis), keepdims=keepdims)

    def all(self, axis: Any = None, keepdims: bool = False) -> Self:
        return self._op("all", self, axis_of(axis), keepdims=keepdims)

    def var(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Self:
        return self._op("var", self, axis_of(axis), ddof=ddof, keepdims=keepdims)

    def std(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Self:
        return self._op("std", self, axis_of(axis), ddof=ddof, keepdims=keepdims)

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Self:
        return self._op("argmax", self, axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, keepdims: bool = False) -> Self:
        return self._op("argmin", self, axis, keepdims=keepdims)

    def cumsum(self, axis: int) -> Self:
        return self._op("cumsum", self, axis)

    def cumprod(self, axis: int) -> Self:
        return self._op("cumprod", self, axis)

    def clip(self, min: Any = None, max: Any = None) -> Self:
        return self._op("clip", self, min, max)

    def round(self) -> Self:
        return self._op("round", self)
