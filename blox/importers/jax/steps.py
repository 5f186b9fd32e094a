"""Steps as they are written, one after the other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from blox.schema import op_class

from ..trace import Enter, Exit, Item, Line, Number, Path, Size, Step, Value, values_in
from ..views import View
from .context import Context, Missing
from .internals import plain_size
from .numbers import is_weak


class Steps(ABC):
    """Writes steps.

    Attributes:
        line: the statement that is being lowered, which names what it assigns.
        made: the step that gives a value.
        used: how often a value flows into a step.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.items: list[Item] = []
        self.line: Line | None = None
        self.made: dict[Value, Step] = {}
        self.used: Counter[Value] = Counter()

    @abstractmethod
    def array(self, view: View) -> Value:
        """The array of a View, with its axes as they are seen."""

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
        cls = op_class(op)
        every = [*values_in(flowing), *values_in(kept)]
        real = cls is not None and not cls.COMPLEX
        if real and any(v.dtype.startswith("complex") for v in every):
            raise Missing(f"{op} of complex numbers")
        step = Step(
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
        self.items.append(step)
        self.used.update(every)
        self.made.update(dict.fromkeys(outputs, step))

    def is_here(self, step: Step) -> bool:
        """True where a step belongs to the function that is being lowered, and neither to
        one that is done nor to one around it."""
        depth = 0
        for item in reversed(self.items):
            if item is step:
                return depth == 0
            depth += isinstance(item, Exit) - isinstance(item, Enter)
        return False

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
