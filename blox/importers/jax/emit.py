"""Steps that go element by element, or reduce: layouts pass through them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ..trace import Number, Size, Value
from ..views import View, fits, frame
from .arrays import Arrays
from .context import Context
from .numbers import is_weak


class Emitter(Arrays):
    """Writes steps by NumPy's rules of broadcasting, with axes in any order.

    Attributes:
        shares: what a value, as a View of it, gives divided by another, where an op does
            that; else None.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.shares: dict[Value, Callable[[View, View], View | None]] = {}

    def elementwise(
        self,
        op: str,
        operands: Mapping[str, View],
        shape: Sequence[Size],
        dtype: Any,
        attributes: Mapping[str, Any] | None = None,
    ) -> View:
        """A step of an op that goes element by element, by NumPy's rules of broadcasting:
        layouts pass through it, and what only grows stays as small as it is.

        Args:
            shape: of what it gives; operands have it, or size 1 in its place, or are scalars.
        """
        views = {n: self.grown(v, shape) for n, v in operands.items()}
        if op == "divide" and isinstance(whole := views["a"].source, Value):
            share = self.shares.get(whole)
            if share and (found := share(views["a"], views["b"])) is not None:
                return found
        order = frame([*views.values()], len(shape))
        kept = {v.dtype for v in views.values() if not v.is_number}
        given = {n: self._number(v, kept, order) for n, v in views.items()}
        numbers = {n: g for n, g in given.items() if not isinstance(g, Value)}
        if len(numbers) == len(given):
            first, number = next(iter(numbers.items()))
            given[first] = self.array(View.filled(number, (), views[first].dtype))
        sizes = [shape[i] for i in order]
        lone = self._lone(given, len(order))
        made = self.emit(op, given, attributes or {}, sizes, dtype)
        if lone:
            self._again_of(made, op, given, lone, attributes or {})
        axes = tuple(order.index(i) if i in order else None for i in range(len(shape)))
        return View(made.source, axes, tuple(shape), str(dtype))

    def _lone(self, given: Mapping[str, Value | Number], rank: int) -> str:
        """The name of the one operand that is an array, if another step may give it."""
        arrays = {n: v for n, v in given.items() if isinstance(v, Value)}
        name, array = next(iter(arrays.items()))
        fine = len(arrays) == 1 and array.ndim == rank
        return name if fine and array in self.again and not self.used[array] else ""

    def _again_of(
        self,
        made: View,
        op: str,
        given: Mapping[str, Value | Number],
        lone: str,
        attributes: Mapping[str, Any],
    ) -> None:
        """Says that a step on one array alone may follow that in another layout."""
        source, array = made.source, given[lone]
        assert isinstance(source, Value)
        assert isinstance(array, Value)

        def again(axes: Sequence[int | None]) -> View | None:
            found = self._anew(array, axes)
            if found is None:
                return None
            operands = {**given, lone: found}
            shape = [1 if a is None else source.shape[a] for a in axes]
            return self.emit(op, operands, attributes, shape, made.dtype)

        self.again[source] = again

    def _number(
        self, view: View, kept: Collection[str], order: Sequence[int]
    ) -> Value | Number:
        """An operand, which stays a number where its dtype survives that.

        Args:
            kept: the dtypes of operands that are arrays.
        """
        if not view.is_number:
            return self.aligned(view, order)
        weak = view.dtype in kept or view.dtype in ("bool", "int32", "float32")
        if not weak or not is_weak(view.source):  # type: ignore[arg-type]
            return self.array(View.filled(view.source, (), view.dtype))  # type: ignore[arg-type]
        return view.source

    def grown(self, view: View, shape: Sequence[Size]) -> View:
        """An operand in the shape of the result; a scalar fills it."""
        view = self.current(view)
        if view.ndim == len(shape):
            return view.broadcast(shape, range(len(shape)))
        return View(self.operand(view), (None,) * len(shape), (*shape,), view.dtype)

    def aligned(self, view: View, order: Sequence[int]) -> Value | Number:
        """An operand that NumPy's rules align with these axes."""
        view = self.current(view)
        if not isinstance(view.source, Value):
            return view.source
        if fits(view, order):
            return view.source
        own = [i for i in order if view.axes[i] is not None]
        seen = order[order.index(own[0]) :] if own else []
        arranged = View(
            view.source,
            tuple(view.axes[i] for i in seen),
            tuple(view.shape[i] if i in own else 1 for i in seen),
            view.dtype,
        )
        return self.array(arranged)

    def keep_axes(
        self,
        made: View,
        op: str,
        x: Value,
        gone: Sequence[int],
        attributes: Mapping[str, Any],
    ) -> None:
        """Says that what reduces these axes of x may keep them, with `keepdims`."""

        def again(axes: Sequence[int | None]) -> View | None:
            if [i for i, a in enumerate(axes) if a is None] != sorted(gone):
                return None
            if [a for a in axes if a is not None] != list(range(made.ndim)):
                return None
            shape = [1 if i in gone else n for i, n in enumerate(x.shape)]
            kept = {**attributes, "keepdims": True}
            return self.emit(op, {"x": x}, kept, shape, made.dtype)

        assert isinstance(made.source, Value)
        self.again[made.source] = again
