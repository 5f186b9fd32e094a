"""Steps as they are written, and Views as arrays where a step needs one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ..trace import Item, Line, Number, Param, Path, Size, Step, Value
from ..views import View, fits, frame, same
from .context import Context
from .internals import plain_size
from .numbers import is_weak, real_dtype, said_dtype


class Emitter:
    """Writes steps, one after the other."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.items: list[Item] = []
        self.line: Line | None = None
        """The statement of the user's code that is being lowered."""
        self._arrays: dict[tuple[Value | int, Any, Any], Value] = {}

    def emit(
        self,
        op: str,
        operands: Mapping[str, Any],
        attributes: Mapping[str, Any],
        shape: Sequence[Size],
        dtype: Any,
        *,
        slots: Mapping[str, Value] | None = None,
        scope: Path | None = None,
        hint: str = "",
    ) -> View:
        """A step of one output. Operands are values, numbers, or Views, which become
        arrays first; so do those in lists."""
        output = Value(tuple(map(plain_size, shape)), str(dtype))
        self._step(op, operands, attributes, [output], (), slots, scope, hint)
        return View.of(output)

    def emit_several(
        self,
        op: str,
        operands: Mapping[str, Any],
        attributes: Mapping[str, Any],
        outputs: Sequence[tuple[str, Sequence[Size], Any]],
        *,
        slots: Mapping[str, Value] | None = None,
        scope: Path | None = None,
        hint: str = "",
    ) -> list[View]:
        """A step of several outputs: (name, shape, dtype) of each."""
        made = [Value(tuple(map(plain_size, s)), str(d)) for _, s, d in outputs]
        names = tuple(name for name, _, _ in outputs)
        self._step(op, operands, attributes, made, names, slots, scope, hint)
        return list(map(View.of, made))

    def _step(
        self,
        op: str,
        operands: Mapping[str, Any],
        attributes: Mapping[str, Any],
        outputs: list[Value],
        names: tuple[str, ...],
        slots: Mapping[str, Value] | None,
        scope: Path | None,
        hint: str,
    ) -> None:
        flowing = {name: self._operand(given) for name, given in operands.items()}
        kept = dict(slots or {})
        self.items.append(
            Step(
                op,
                flowing,
                dict(attributes),
                outputs,
                names,
                kept,
                scope,
                hint=hint,
                line=self.line,
            )
        )

    def _operand(self, given: Any) -> Any:
        if isinstance(given, View):
            return self.operand(given)
        if isinstance(given, (list, tuple)):
            return [self._operand(part) for part in given]
        return given

    def operand(self, view: View) -> Value | Number:
        """A View as an operand: a scalar that is a number stays one."""
        number = view.source
        if not view.shape and not isinstance(number, Value) and is_weak(number):
            return number
        return self.array(view)

    def array(self, view: View) -> Value:
        """The array of a View, with its axes as they are seen."""
        if isinstance(view.source, Param) and view.source.moves:
            view = View(self._moved(view.source), view.axes, view.shape, view.dtype)
        if isinstance(view.source, Value) and view.is_plain:
            return view.source
        start = view.source if isinstance(view.source, Value) else id(view)
        key = (start, view.axes, tuple(map(str, view.shape)))
        if key not in self._arrays or not isinstance(view.source, Value):
            self._arrays[key] = self._made(view)
        return self._arrays[key]

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
        own = [a for a in view.axes if a is not None]
        value = self._ordered(source, own)
        new = [i for i, a in enumerate(view.axes) if a is None]
        grown = [i for i in new if not same(view.shape[i], 1)]
        rank = view.ndim
        if new and (not grown or new != list(range(len(new)))):
            middle = [1 if i in new else s for i, s in enumerate(view.shape)]
            axes = [i - rank for i in new]
            attributes = {"axis": axes[0] if len(axes) == 1 else axes}
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

    def _filled(self, view: View, number: Number) -> Value:
        attributes: dict[str, Any]
        if isinstance(number, complex):
            dtype = real_dtype(view.dtype)
            attributes = {"value": number.real, "dtype": dtype}
            real = self.emit("constant", {}, attributes, (), dtype)
            parts = {"real": real, "imag": number.imag}
            made = self.emit("complex", parts, {}, (), view.dtype)
            return self.array(made.broadcast(view.shape, ()))
        dtype = said_dtype(view.dtype)
        attributes = {"shape": list(view.shape), "dtype": dtype}
        op = {"0": "zeros", "0.0": "zeros", "False": "zeros"}.get(str(number), "")
        op = "ones" if number == 1 else op
        if not op:
            op = "full"
            attributes["fill_value"] = number
        return self.array(self.emit(op, {}, attributes, view.shape, view.dtype))

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
        views = {n: self._grown(self._unmoved(v), shape) for n, v in operands.items()}
        order = frame([*views.values()], len(shape))
        kept = {v.dtype for v in views.values() if not v.is_number}
        given = {n: self._number(v, kept, order) for n, v in views.items()}
        numbers = {n: g for n, g in given.items() if not isinstance(g, Value)}
        if len(numbers) == len(given):
            first, number = next(iter(numbers.items()))
            given[first] = self.array(View.filled(number, (), views[first].dtype))
        made = self.emit(op, given, attributes or {}, [shape[i] for i in order], dtype)
        axes = tuple(order.index(i) if i in order else None for i in range(len(shape)))
        return View(made.source, axes, tuple(shape), str(dtype))

    def _number(
        self, view: View, kept: Collection[str], order: Sequence[int]
    ) -> Value | Number:
        """An operand, which stays a number where its dtype survives that.

        Args:
            kept: the dtypes of operands that are arrays.
        """
        if not view.is_number:
            return self._aligned(view, order)
        weak = view.dtype in kept or view.dtype in ("bool", "int32", "float32")
        if not weak or not is_weak(view.source):  # type: ignore[arg-type]
            return self.array(View.filled(view.source, (), view.dtype))  # type: ignore[arg-type]
        return view.source

    def _unmoved(self, view: View) -> View:
        if isinstance(view.source, Param) and view.source.moves:
            return View(self._moved(view.source), view.axes, view.shape, view.dtype)
        return view

    def _grown(self, view: View, shape: Sequence[Size]) -> View:
        """An operand in the shape of the result."""
        if view.ndim == len(shape):
            return view.broadcast(shape, range(len(shape)))
        return View(self.operand(view), (None,) * len(shape), (*shape,), view.dtype)

    def _aligned(self, view: View, order: Sequence[int]) -> Value | Number:
        """An operand that NumPy's rules align with these axes."""
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

    def slot(self, view: View) -> Value:
        """What a layer keeps: a parameter in the layout of the View, or any value."""
        source = view.source
        if not isinstance(source, Param) or None in view.axes:
            return self.array(view)
        own = [a for a in view.axes if a is not None]
        gone = [i for i in range(source.ndim) if i not in own]
        if gone:
            kept = [s for i, s in enumerate(source.shape) if i not in gone]
            source = source.moved("reshape", kept)
            own = [a - sum(g < a for g in gone) for a in own]
        if own != list(range(len(own))):
            source = source.moved("transpose", own)
        return source
