"""What loops carry from step to step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..trace import Size, Value
from ..views import View
from .flatten import Flat, value_of
from .functions import Function, start_of
from .internals import Atom, JaxprEqn, Literal


@dataclass
class Carries:
    """What a loop carries, by its place among the carries of the source.

    Args:
        function: the body.
        first: the place of the first carry among its inputs.
        starts: Views of what those that are wanted start with.
        inner: those that stay carries, as the body sees them.
        outer: what those are after the loop that need no carry.
        counted: those that count the steps, from what they start with on.
        step: the number of the step, where one of them counts.
    """

    function: Function
    first: int
    starts: Mapping[int, View]
    inner: dict[int, Value] = field(default_factory=dict)
    outer: dict[int, View] = field(default_factory=dict)
    counted: set[int] = field(default_factory=set)
    step: Value | None = None

    @property
    def operands(self) -> dict[str, Any]:
        """What they start with, by name."""
        names = self.function.inputs
        lower = self.function.lower
        return {
            names[v]: start_of(lower, self.starts[i]) for i, v in self.inner.items()
        }

    def stays(self, place: int) -> bool:
        """True of a carry that no step changes."""
        variables = self.function.closed.jaxpr.invars
        return self.function.flat.outputs[place] is variables[self.first + place]

    def counts(self, place: int) -> bool:
        """True of a carry that is one more at every step, from a known number on."""
        start, flat = self.starts[place], self.function.flat
        if start.dtype != "int32" or start.shape or type(start.source) is not int:
            return False
        made = maker(flat, flat.outputs[place])
        if made is None or made.primitive.name != "add":
            return False
        variable = self.function.closed.jaxpr.invars[self.first + place]
        a, b = made.invars
        other = b if a is variable else a if b is variable else None
        return isinstance(other, Literal) and bool(value_of(other) == 1)

    def settle(
        self, length: Size | None, wanted: set[int], counting: bool = True
    ) -> None:
        """Tells those that change from those that stay, or count the steps.

        Args:
            length: the number of steps, None where it is not known.
            wanted: the outputs that are used behind the loop.
            counting: False where steps do not go up from 0.
        """
        variables = self.function.closed.jaxpr.invars
        for i, start in self.starts.items():
            place = self.first + i
            counted = counting and (length is not None or i not in wanted)
            if self.stays(i):
                self.outer[i] = start
            elif counted and self.counts(i):
                self._count(i, start, length)
            else:
                aval: Any = variables[place].aval
                made = self.function.value(place, aval.shape, str(aval.dtype), "carry")
                self.inner[i] = made
            self.function.given[place] = self.seen(self.function, i)

    def _count(self, place: int, start: View, length: Size | None) -> None:
        self.counted.add(place)
        if self.step is None:
            at = self.first + place
            self.step = self.function.value(at, (), "int32", "index")
        if length is not None:
            end: Any = start.source + length
            self.outer[place] = View.filled(end, (), "int32")

    def seen(self, function: Function, place: int) -> View:
        """A carry as a function of the loop sees it."""
        start = self.starts[place]
        if place in self.inner:
            return View.of(self.inner[place])
        if place not in self.counted:
            return start
        assert self.step is not None
        step = View.of(self.step)
        if start.source == 0:
            return step
        operands = {"a": step, "b": start}
        return function.child.elementwise("add", operands, (), "int32")


def maker(flat: Flat, variable: Any) -> JaxprEqn | None:
    """The equation that gives a variable."""
    return next((e for e in flat.equations if variable in e.outvars), None)


def bound(flat: Flat) -> tuple[Atom, Atom] | None:
    """The `i` and `n` of a condition `i < n`; None where it is another."""
    made = maker(flat, flat.outputs[0])
    if made is None or made.primitive.name not in ("lt", "gt"):
        return None
    low, high = made.invars if made.primitive.name == "lt" else made.invars[::-1]
    return low, high
