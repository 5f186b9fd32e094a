"""Operators, indexing and methods of `jax.Array` on values, each of which writes a node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from .sizes import Dim

if TYPE_CHECKING:
    from .function import FunctionBuilder
    from .values import Operand, Value


class ArrayMethods:
    """What arrays can do, as far as one op does it."""

    __slots__ = ()

    @property
    def _f(self) -> FunctionBuilder:
        return self._value.trace.f

    @property
    def _value(self) -> Value:
        return cast("Value", self)

    # Operators ---------------------------------------------------------------------

    def __add__(self, other: Operand) -> Value:
        return self._operator("add", other)

    def __radd__(self, other: Operand) -> Value:
        return self._operator("add", other, swapped=True)

    def __sub__(self, other: Operand) -> Value:
        return self._operator("subtract", other)

    def __rsub__(self, other: Operand) -> Value:
        return self._operator("subtract", other, swapped=True)

    def __mul__(self, other: Operand) -> Value:
        return self._operator("multiply", other)

    def __rmul__(self, other: Operand) -> Value:
        return self._operator("multiply", other, swapped=True)

    def __truediv__(self, other: Operand) -> Value:
        return self._operator("divide", other)

    def __rtruediv__(self, other: Operand) -> Value:
        return self._operator("divide", other, swapped=True)

    def __floordiv__(self, other: Operand) -> Value:
        return self._operator("floor_divide", other)

    def __rfloordiv__(self, other: Operand) -> Value:
        return self._operator("floor_divide", other, swapped=True)

    def __mod__(self, other: Operand) -> Value:
        return self._operator("remainder", other)

    def __rmod__(self, other: Operand) -> Value:
        return self._operator("remainder", other, swapped=True)

    def __pow__(self, other: Operand) -> Value:
        return self._operator("power", other)

    def __rpow__(self, other: Operand) -> Value:
        return self._operator("power", other, swapped=True)

    def __matmul__(self, other: Value) -> Value:
        return self._operator("matmul", other)

    def __eq__(self, other: object) -> Value:  # type: ignore[override]
        return self._operator("equal", other)

    def __ne__(self, other: object) -> Value:  # type: ignore[override]
        return self._operator("not_equal", other)

    def __lt__(self, other: Operand) -> Value:
        return self._operator("less", other)

    def __le__(self, other: Operand) -> Value:
        return self._operator("less_equal", other)

    def __gt__(self, other: Operand) -> Value:
        return self._operator("greater", other)

    def __ge__(self, other: Operand) -> Value:
        return self._operator("greater_equal", other)

    def __and__(self, other: Value) -> Value:
        return self._logical("logical_and", other)

    def __or__(self, other: Value) -> Value:
        return self._logical("logical_or", other)

    def __invert__(self) -> Value:
        return self._logical("logical_not")

    def __neg__(self) -> Value:
        return self._f.negative(self._value)

    def __abs__(self) -> Value:
        return self._f.abs(self._value)

    def _operator(self, kind: str, other: Any, *, swapped: bool = False) -> Value:
        from .values import Value

        numeric = isinstance(other, (int, float, Dim)) and not isinstance(other, bool)
        text = isinstance(other, str) and other.startswith("$")
        if not isinstance(other, Value) and not numeric and not text:
            if hasattr(other, "dtype") and hasattr(other, "shape"):
                self._value.fault(
                    "builder-value",
                    f"expected a value or a number, found {type(other).__name__}",
                    "an array goes into the Graph by f.constant, f.param or f.buffer",
                )
            return cast("Value", NotImplemented)
        a, b = (other, self) if swapped else (self, other)
        value: Value = getattr(self._f, kind)(a, b)
        return value

    def _logical(self, kind: str, *other: Any) -> Value:
        from .values import Value

        for value in (self._value, *other):
            if not isinstance(value, Value):
                return cast("Value", NotImplemented)
            if str(value.dtype) != "bool":
                self._value.fault(
                    "builder-value",
                    f"expected booleans beside & | ~, found {value.dtype}",
                    "compare first: x > 0",
                )
        value = getattr(self._f, kind)(self, *other)
        return cast("Value", value)

    def __getitem__(self, index: Any) -> Value:
        from .values import At

        at: Any = At.of(self._value, index)
        return self._f.index(self._value, at)

    # Methods -----------------------------------------------------------------------

    def reshape(self, *shape: Any) -> Value:
        """In another shape; a leading `...` stands for all axes but the last."""
        sizes = shape[0] if len(shape) == 1 and _is_list(shape[0]) else shape
        given = ["..." if size is Ellipsis else size for size in sizes]
        return self._f.reshape(self._value, given)

    def astype(self, dtype: Any) -> Value:
        name: Any = dtype if isinstance(dtype, str) else _dtype_name(dtype)
        return self._f.astype(self._value, name)

    def transpose(self, *axes: Any) -> Value:
        order = axes[0] if len(axes) == 1 and _is_list(axes[0]) else axes
        rank = self._value.ndim
        return self._f.transpose(self._value, list(order or reversed(range(rank))))

    @property
    def T(self) -> Value:
        return self.transpose()

    @property
    def mT(self) -> Value:
        return self.swapaxes(-1, -2)

    def swapaxes(self, axis1: int, axis2: int) -> Value:
        return self._f.swapaxes(self._value, axis1, axis2)

    def squeeze(self, axis: int | Sequence[int]) -> Value:
        return self._f.squeeze(self._value, _axis(axis))

    def flatten(self) -> Value:
        return self.reshape(-1)

    ravel = flatten

    def sum(self, axis: Any = None, keepdims: bool = False) -> Value:
        return self._f.sum(self._value, _axis(axis), keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Value:
        return self._f.mean(self._value, _axis(axis), keepdims=keepdims)

    def prod(self, axis: Any = None, keepdims: bool = False) -> Value:
        return self._f.prod(self._value, _axis(axis), keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Value:
        return self._f.max(self._value, _axis(axis), keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Value:
        return self._f.min(self._value, _axis(axis), keepdims=keepdims)

    def any(self, axis: Any = None, keepdims: bool = False) -> Value:
        return self._f.any(self._value, _axis(axis), keepdims=keepdims)

    def all(self, axis: Any = None, keepdims: bool = False) -> Value:
        return self._f.all(self._value, _axis(axis), keepdims=keepdims)

    def var(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Value:
        return self._f.var(self._value, _axis(axis), ddof=ddof, keepdims=keepdims)

    def std(self, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Value:
        return self._f.std(self._value, _axis(axis), ddof=ddof, keepdims=keepdims)

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Value:
        return self._f.argmax(self._value, axis, keepdims=keepdims)

    def argmin(self, axis: int | None = None, keepdims: bool = False) -> Value:
        return self._f.argmin(self._value, axis, keepdims=keepdims)

    def cumsum(self, axis: int) -> Value:
        return self._f.cumsum(self._value, axis)

    def cumprod(self, axis: int) -> Value:
        return self._f.cumprod(self._value, axis)

    def clip(self, min: Any = None, max: Any = None) -> Value:
        return self._f.clip(self._value, min, max)

    def round(self) -> Value:
        return self._f.round(self._value)


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _axis(axis: Any) -> Any:
    return list(axis) if isinstance(axis, tuple) else axis


def _dtype_name(dtype: Any) -> str:
    import numpy as np

    return "float" if dtype is float else str(np.dtype(dtype))
