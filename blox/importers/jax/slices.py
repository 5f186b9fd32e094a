"""What loops take slices of, and what they stack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ..trace import Param, Size, Value
from ..views import View
from .functions import Function


@dataclass
class Slices:
    """What a scan takes slices of.

    Args:
        function: the body.
        first: the place of the first slice among its inputs.
        xs: Views of arrays by their place, whose leading axis is that of the steps.
        axis: along which they lie in the Graph.
        operands: the arrays, by the name of the slice.
    """

    function: Function
    first: int
    xs: Mapping[int, View]
    axis: int = 0
    operands: dict[str, Value] = field(default_factory=dict)

    @property
    def copies(self) -> list[int]:
        """Those that are arrays of a layer for each step."""
        return [i for i, x in self.xs.items() if self._is_stack(x)]

    def _is_stack(self, view: View) -> bool:
        context, source = self.function.lower.context, view.source
        return (
            isinstance(source, Param)
            and view.axes[0] == 0
            and not source.moves
            and source.path not in context.values
            and source.path not in context.whole
        )

    def settle(self, copies: bool, ranks: Iterable[int]) -> None:
        """Gives the body what it sees of them.

        Args:
            copies: True where stacked arrays are those of a `repeat`.
            ranks: of what each step gives.
        """
        sliced = {i: x for i, x in self.xs.items() if _varies(x)}
        if copies:
            sliced = {i: x for i, x in sliced.items() if not self._is_stack(x)}
        else:
            most = [*ranks, *(x.ndim - 1 for x in sliced.values())]
            self.axis = _common(sliced.values(), min(most, default=0))
        for i, view in self.xs.items():
            if i in sliced:
                self._slice(self.first + i, view)
                continue
            rest = View(view.source, view.axes[1:], view.shape[1:], view.dtype)
            self.function.given[self.first + i] = _copy(view) if _varies(view) else rest

    def assigned(self) -> set[int]:
        """The outputs that are next values of stacked arrays: each layer assigns its own."""
        context = self.function.lower.context
        stacks = {
            one.path: one
            for i in self.copies
            if isinstance(one := self.function.given[self.first + i].source, Param)
        }
        for place, path in self.function.updates.items():
            if path in stacks and path not in context.assigned:
                self.function.changes[stacks[path]] = self.function.array(place)
                context.assigned.add(path)
        return {i for i, p in self.function.updates.items() if p in context.assigned}

    def _slice(self, place: int, view: View) -> None:
        if _axis(view) != self.axis:
            ahead = range(1, self.axis + 1)
            behind = range(self.axis + 1, view.ndim)
            order = [*ahead, 0, *behind]
            source = self.function.lower.array(view.transpose(order))
            axes = tuple(range(view.ndim - 1))
        else:
            assert isinstance(view.source, Value)
            source = view.source
            axes = tuple(a - (a > self.axis) for a in view.axes[1:] if a is not None)
        shape = [s for a, s in enumerate(source.shape) if a != self.axis]
        made = self.function.value(place, shape, view.dtype, "x", source.hint)
        self.operands[self.function.inputs[made]] = source
        self.function.given[place] = View(made, axes, view.shape[1:], view.dtype)


def _common(views: Iterable[View], most: int) -> int:
    """The axis of most of the arrays, which all of them and what is stacked have."""
    found = Counter(a for a in map(_axis, views) if a is not None and a <= most)
    return max(found, key=lambda a: (found[a], -a), default=0)


def _axis(view: View) -> int | None:
    """Where the leading axis lies in an array of which nothing else is to be changed."""
    source = view.source
    plain = isinstance(source, Value) and source.ndim == view.ndim
    moved = isinstance(source, Param) and source.moves
    return view.axes[0] if plain and view.is_arranged and not moved else None


def _varies(view: View) -> bool:
    """True where steps see something else."""
    return isinstance(view.source, Value) and view.axes[0] is not None


def _copy(view: View) -> View:
    """The array of one layer, of one that has those of all."""
    source = view.source
    assert isinstance(source, Param)
    one = replace(source, shape=source.shape[1:], stacked=source.stacked + 1)
    axes = tuple(None if a is None else a - 1 for a in view.axes[1:])
    return View(one, axes, view.shape[1:], view.dtype)


@dataclass(frozen=True, slots=True)
class Stack:
    """An output of each step.

    Args:
        inner: what the body gives.
        axes: the axis of it that each axis of the source's output is.
        length: the number of steps.
    """

    inner: Value
    axes: tuple[int, ...]
    length: Size

    @classmethod
    def of(cls, function: Function, place: int, length: Size) -> Stack:
        view = function.found[place]
        source = view.source
        whole = isinstance(source, Value) and source.ndim == view.ndim
        moved = isinstance(source, Param)
        if whole and view.is_arranged and not moved:
            axes = tuple(a for a in view.axes if a is not None)
            return cls(source, axes, length)  # type: ignore[arg-type]
        return cls(function.array(place), tuple(range(view.ndim)), length)

    def outer(self, axis: int) -> tuple[Value, View]:
        """What the loop gives, and how the source sees it."""
        shape = [*self.inner.shape]
        shape.insert(axis, self.length)
        made = Value(tuple(shape), self.inner.dtype)
        places = (axis, *(a + (a >= axis) for a in self.axes))
        seen = tuple(shape[a] for a in places)
        return made, View(made, places, seen, made.dtype)
