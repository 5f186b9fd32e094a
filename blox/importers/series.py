"""Arrays of which each copy of a run takes a slice, and that are stacked of what each gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .matching import Match, Part
from .regions import made
from .trace import Step, Value


@dataclass(frozen=True, slots=True)
class Slice:
    """An array at one place of an axis."""

    source: Value
    axis: int
    place: int


def slice_of(step: Step) -> Slice | None:
    """The slice that an `index` gives, where it is one of a fixed place."""
    if step.op != "index":
        return None
    at, source = step.attributes["at"], step.operands["x"]
    fixed = [axis for axis, part in enumerate(at) if type(part) is int]
    others = [part for part in at if type(part) is not int]
    whole = all(part == slice(None) for part in others)
    if len(fixed) != 1 or not whole or not isinstance(source, Value):
        return None
    place, size = at[fixed[0]], source.shape[fixed[0]]
    if place < 0 and isinstance(size, int):
        place += size
    return Slice(source, fixed[0], place) if place >= 0 else None


def slices_first(items: Sequence[Part]) -> list[Part]:
    """The items, slices of fixed places right behind what they are slices of."""
    found: dict[Value, list[Step]] = {}
    own = {v for item in items for v in made(item)}
    first: list[Part] = []
    rest: list[Part] = []
    for item in items:
        piece = slice_of(item) if isinstance(item, Step) else None
        if piece is None or not isinstance(item, Step):
            rest.append(item)
        elif piece.source in own:
            found.setdefault(piece.source, []).append(item)
        else:
            first.append(item)
    waiting = [*reversed([*first, *rest])]
    placed: list[Part] = []
    while waiting:
        item = waiting.pop()
        placed.append(item)
        for value in made(item):
            waiting += reversed(found.pop(value, []))
    return placed


@dataclass(frozen=True, slots=True)
class Outside:
    """What is around a run.

    Args:
        slices: by the value that each slice is.
        stacks: the steps that stack values, by each of these.
    """

    slices: Mapping[Value, Slice]
    stacks: Mapping[Value, Sequence[Step]]

    @classmethod
    def of(cls, items: Iterable[Part]) -> Outside:
        slices: dict[Value, Slice] = {}
        stacks: dict[Value, list[Step]] = {}
        for item in items:
            if not isinstance(item, Step):
                continue
            if (piece := slice_of(item)) is not None:
                slices[item.outputs[0]] = piece
            if item.op == "stack":
                for value in item.operands["xs"]:
                    if isinstance(value, Value):
                        stacks.setdefault(value, []).append(item)
        return cls(slices, stacks)

    def series(self, values: Sequence[Value]) -> Slice | None:
        """The first of slices that go along one axis, place by place."""
        found = [self.slices.get(value) for value in values]
        first = found[0]
        if first is None:
            return None
        wanted = [
            Slice(first.source, first.axis, first.place + i) for i in range(len(values))
        ]
        return first if found == wanted else None

    def stacked(self, own: Value, matches: Sequence[Match]) -> Step | None:
        """The step that stacks what a value of the last copy is in all of them."""
        for step in self.stacks.get(own, ()):
            every = [*(match.values[own] for match in matches), own]
            given = step.operands["xs"]
            if len(given) == len(every) and all(map(_same, given, every)):
                return step
        return None


def _same(a: object, b: object) -> bool:
    return a is b
