"""Views as arrays where a step needs one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from ..trace import Number, Param, Value, values_in
from ..views import View, same
from .context import Context
from .numbers import real_dtype, said_dtype
from .steps import Steps

Again: TypeAlias = Callable[[Sequence[int | None]], "View | None"]
"""Another step that gives the same array with these of its axes, None being one of size 1:
a View of that shape, or None where no step does that."""


class Arrays(Steps):
    """Writes steps, and what Views need before a step can take them.

    Attributes:
        again: how a value that nothing uses yet is made in another layout.
        parts: of an array that joins others along an axis, these without it, and the axis.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.again: dict[Value, Again] = {}
        self.parts: dict[Value, tuple[list[View], int]] = {}
        self._twins: dict[Value, View] = {}
        """Values that were made in another layout, as Views of that."""
        self._arrays: dict[tuple[Value | int, Any, Any], Value] = {}

    def current(self, view: View) -> View:
        """The View of what its source was last made as; parameters without moves."""
        source = view.source
        while source in self._twins:
            view = view.rebased(self._twins[source])
            source = view.source
        if isinstance(source, Param) and source.moves:
            return View(self._moved(source), view.axes, view.shape, view.dtype)
        return view

    def array(self, view: View) -> Value:
        """The array of a View, with its axes as they are seen."""
        view = self.current(view)
        if isinstance(view.source, Value) and view.is_plain:
            return view.source
        start = view.source if isinstance(view.source, Value) else id(view)
        key = (start, view.axes, tuple(map(str, view.shape)))
        if key not in self._arrays or not isinstance(view.source, Value):
            self._arrays[key] = self._made(view)
        return self._arrays[key]

    def along(self, view: View, axes: Sequence[int]) -> View:
        """It as a View of an array whose own axes these are, for a step that goes along
        them and leaves the others as they are."""
        view = self.current(view)
        own = isinstance(view.source, Value) and all(
            view.axes[a] is not None for a in axes
        )
        return view if own else View.of(self.array(view))

    def arranged(self, view: View) -> View:
        """It as a View of an array that has the same axes in another order."""
        view = self.current(view)
        whole = view.is_arranged and len(view.axes) == getattr(view.source, "ndim", -1)
        return view if whole else View.of(self.array(view))

    def _moved(self, param: Param) -> Value:
        """The array of a parameter that was transposed or reshaped on its way."""
        base = param.base
        assert base is not None
        key = (base, param.moves, None)
        if key in self._arrays:
            return self._arrays[key]
        view = View.of(base)
        for kind, sizes in param.moves:
            if kind == "transpose":
                view = View.of(self.array(view.transpose(sizes)))
            else:
                view = self.emit(
                    "reshape", {"x": view}, {"shape": list(sizes)}, sizes, view.dtype
                )
        self._arrays[key] = self.array(view)
        return self._arrays[key]

    def _made(self, view: View) -> Value:
        source = view.source
        if not isinstance(source, Value):
            return self._filled(view, source)
        if (found := self._anew(source, view.axes)) is not None:
            axes = tuple(
                a if same(n, m) else None
                for a, n, m in zip(found.axes, found.shape, view.shape, strict=True)
            )
            return self.array(View(found.source, axes, view.shape, view.dtype))
        own = [a for a in view.axes if a is not None]
        value = self._ordered(source, own)
        new = [i for i, a in enumerate(view.axes) if a is None]
        grown = [i for i in new if not same(view.shape[i], 1)]
        rank = view.ndim
        if new and (not grown or new != list(range(len(new)))):
            middle = [1 if i in new else s for i, s in enumerate(view.shape)]
            axes_of = [i - rank for i in new]
            attributes = {"axis": axes_of[0] if len(axes_of) == 1 else axes_of}
            expanded = self.emit(
                "expand_dims", {"x": value}, attributes, middle, view.dtype
            )
            value = self.array(expanded)
        if grown:
            attributes = {"shape": list(view.shape)}
            value = self.array(
                self.emit(
                    "broadcast_to", {"x": value}, attributes, view.shape, view.dtype
                )
            )
        return value

    def _anew(self, source: Value, axes: Sequence[int | None]) -> View | None:
        """What gives a value in another layout in place of the step that gave it, which
        nothing uses."""
        if source not in self.again or self.used[source] > 0:
            return None
        step = self.made[source]
        if not self.is_here(step):
            return None
        flowing = [*values_in(step.operands), *values_in(step.slots)]
        self.used.subtract(flowing)
        found = self.again[source](axes)
        if found is None:
            self.used.update(flowing)
            return None
        places = tuple(found.axes[axes.index(a)] for a in range(source.ndim))
        self._twins[source] = View(found.source, places, source.shape, source.dtype)
        return found

    def _filled(self, view: View, number: Number) -> Value:
        attributes: dict[str, Any]
        if isinstance(number, complex):
            dtype = real_dtype(view.dtype)
            attributes = {"value": number.real, "dtype": dtype}
            real = self.emit("constant", {}, attributes, (), dtype)
            parts = {"real": real, "imag": number.imag}
            made = self.emit("complex", parts, {}, (), view.dtype)
            return self.array(made.broadcast(view.shape, ()))
        plain = number if isinstance(number, (int, float)) else 0
        dtype = said_dtype(view.dtype, plain)
        attributes = {"shape": list(view.shape), "dtype": dtype}
        op = {"0": "zeros", "0.0": "zeros", "False": "zeros"}.get(str(number), "")
        op = "ones" if number == 1 else op
        if not op:
            op = "full"
            attributes["fill_value"] = number
        made = self.emit(op, {}, attributes, view.shape, view.dtype)
        return self.array(self.own(made, dtype))

    def own(self, made: View, said: str) -> View:
        """A constant in the model's dtype, where another was said to hold it."""
        if said == said_dtype(made.dtype):
            return made
        attributes = {"dtype": said_dtype(made.dtype)}
        return self.emit("astype", {"x": made}, attributes, made.shape, made.dtype)

    def _ordered(self, source: Value, own: Sequence[int]) -> Value:
        """The source with these of its axes in this order, and no others."""
        gone = [i for i in range(source.ndim) if i not in own]
        value = source
        if gone:
            axes = [i - source.ndim for i in gone]
            shape = [s for i, s in enumerate(source.shape) if i not in gone]
            attributes = {"axis": axes[0] if len(axes) == 1 else axes}
            value = self.array(
                self.emit("squeeze", {"x": value}, attributes, shape, source.dtype)
            )
        order = sorted(own)
        permutation = [order.index(a) for a in own]
        moved = [i for i, p in enumerate(permutation) if i != p]
        if not moved:
            return value
        shape = [value.shape[p] for p in permutation]
        rank = len(permutation)
        if len(moved) == 2:
            a, b = (i - rank for i in moved)
            swapped = {"axis1": a, "axis2": b}
            view = self.emit("swapaxes", {"x": value}, swapped, shape, source.dtype)
        else:
            attributes = {"permutation": permutation}
            view = self.emit("transpose", {"x": value}, attributes, shape, source.dtype)
        return self.array(view)

    def slot(self, view: View) -> Value:
        """What a layer keeps: a parameter in the layout of the View, or any value."""
        source = view.source
        new = [s for a, s in zip(view.axes, view.shape, strict=True) if a is None]
        if not isinstance(source, Param) or any(s != 1 for s in new):
            return self.array(view)
        own = [a for a in view.axes if a is not None]
        gone = [i for i in range(source.ndim) if i not in own]
        if gone:
            kept = [s for i, s in enumerate(source.shape) if i not in gone]
            source = source.moved("reshape", kept)
            own = [a - sum(g < a for g in gone) for a in own]
        if own != list(range(len(own))):
            source = source.moved("transpose", own)
        return source.moved("reshape", view.shape) if new else source
