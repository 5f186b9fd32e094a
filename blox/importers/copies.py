"""Equal copies as the function of a `repeat`: its inputs, its arrays, its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from blox.schema.names import name_of

from .closing import name_inputs
from .matching import Key, Match, Part, key_of
from .names import hint_values, list_name, one_of, several, word_of
from .regions import common, fresh, identifier, is_under, made, params_in, snake
from .relocated import every_part, relocate, vary
from .series import Slice
from .trace import Path, Region, Step, Value


@dataclass
class Run:
    """Equal copies in the items of a region. The last one is the template.

    Args:
        start: the first item.
        copies: the parts of each.
        matches: of each copy before the last, what it has for what is in the template.
        carries: what flows into the template and is carried, with its next value.
        places: where the arrays of the template lie, and those of each copy; none where
            all copies have the same.
        slices: what flows into the template and is a slice, with that of the first copy.
        stacks: what is stacked with that of all other copies, with the step that did it.
        collected: what is used behind them of each copy, as outputs of all layers are.
    """

    start: int
    copies: Sequence[Sequence[Part]]
    matches: list[Match]
    carries: dict[Key, Value] = field(default_factory=dict)
    places: dict[Path, tuple[Path, ...]] = field(default_factory=dict)
    slices: dict[Value, Slice] = field(default_factory=dict)
    stacks: dict[Value, Step] = field(default_factory=dict)
    collected: list[Value] = field(default_factory=list)

    @property
    def template(self) -> Sequence[Part]:
        return self.copies[-1]

    @property
    def period(self) -> int:
        return len(self.template)

    @property
    def count(self) -> int:
        return len(self.copies)

    @property
    def end(self) -> int:
        return self.start + self.count * self.period

    @property
    def varies(self) -> bool:
        """True where numbers differ from copy to copy."""
        return any(match.differs for match in self.matches)

    @property
    def is_scan(self) -> bool:
        """True where steps along an axis share their arrays."""
        return not self.places and bool(self.slices or self.stacks or self.collected)

    @property
    def axis(self) -> int | None:
        """The axis of slices and stacks; None where one `repeat` or `scan` has no such."""
        if not self.slices:
            return 0
        axes = {s.axis for s in self.slices.values()}
        axis = axes.pop()
        return None if axes or (axis and not self.is_scan) else axis

    def has(self, path: Path) -> bool:
        """True for an array that is that of a copy."""
        every = (place for places in self.places.values() for place in places)
        return any(is_under(path, place) for place in every)

    def steps(self, scope: Path, taken: set[Path]) -> list[Step]:
        """The `repeat` or `scan` that does what they do, and what prepares its arrays.

        Args:
            scope: of the function that it stands in.
            taken: where other repeats of this function lie; this one is added.
        """
        body = self._body()
        hint = several(body.name)
        place = body.scope
        if self.places:
            place = self._place(hint, scope, taken)
            taken.add(place)
            self._settle(body, place)
        self._name_inputs(body)
        ahead: list[Step] = []
        flowing: dict[str, dict[str, Value]] = {"carry": {}, "slices": {}, "inputs": {}}
        for value, name in body.inputs.items():
            if (given := self.carries.get(key_of(value))) is not None:
                flowing["carry"][name] = self.matches[0].values[key_of(value)]
                body.outputs[name] = given
            elif value in self.slices:
                flowing["slices"][name] = self._sliced(self.slices[value], ahead)
            else:
                flowing["inputs"][name] = value
        made = [*body.outputs.values()]
        behind = [*self._stacked(body, made), *self._taken_apart(body, made)]
        step = Step(
            "scan" if self.is_scan else "repeat",
            {role: given for role, given in flowing.items() if given},
            self._attributes(body),
            made,
            tuple(body.outputs),
            scope=place if self.is_scan else place or scope,
            functions={"function": body},
            hint=hint,
        )
        return [*ahead, step, *behind]

    def _attributes(self, body: Region) -> dict[str, object]:
        attributes: dict[str, object] = {"remat": body.remat} if body.remat else {}
        if self.is_scan:
            attributes |= {"axis": self.axis} if self.axis else {}
            return attributes if self.slices else attributes | {"length": self.count}
        attributes |= {"count": self.count, "scan": not self.varies}
        return (
            attributes if self.places else attributes | {"scan": False, "shared": True}
        )

    def _sliced(self, first: Slice, ahead: list[Step]) -> Value:
        """The array whose slices flow in, one for each copy."""
        source, axis = first.source, first.axis
        if (first.place, source.shape[axis]) == (0, self.count):
            return source
        end = first.place + self.count
        at = [slice(None)] * axis + [slice(first.place or None, end)]
        shape = list(source.shape)
        shape[axis] = self.count
        part = Value(tuple(shape), source.dtype, source.hint)
        ahead.append(Step("index", {"x": source}, {"at": at}, [part]))
        return part

    def _stacked(self, body: Region, made: list[Value]) -> list[Step]:
        """Adds outputs that are stacked; the steps that turn them to their axis."""
        behind: list[Step] = []
        for own, stack in self.stacks.items():
            output = stack.outputs[0]
            to, rank = stack.attributes["axis"] % output.ndim, output.ndim
            wanted = own.hint or output.hint or "y"
            name = fresh([*body.outputs, *body.inputs.values()], name_of(wanted))
            body.outputs[name] = own
            axis = self.axis or 0
            if to != axis:
                order = [i for i in range(rank) if i != axis]
                order.insert(to, axis)
                shape = [s for i, s in enumerate(output.shape) if i != to]
                shape.insert(axis, output.shape[to])
                turned = Value(tuple(shape), output.dtype)
                attributes = {"permutation": order}
                behind.append(
                    Step(
                        "transpose",
                        {"x": turned},
                        attributes,
                        [output],
                        line=stack.line,
                    )
                )
                output = turned
            made.append(output)
        return behind

    def _taken_apart(self, body: Region, made: list[Value]) -> list[Step]:
        """Adds outputs that are stacked; the steps that give what each copy gave."""
        behind: list[Step] = []
        for own in self.collected:
            carried = own in self.carries.values()
            name = name_of("y" if carried or not own.hint else own.hint)
            body.outputs[fresh([*body.outputs, *body.inputs.values()], name)] = own
            whole = Value((self.count, *own.shape), own.dtype)
            made.append(whole)
            every = [match.values[own] for match in self.matches]
            for place, value in enumerate(every if carried else [*every, own]):
                behind.append(Step("index", {"x": whole}, {"at": [place]}, [value]))
        return behind

    def _body(self) -> Region:
        """The template as a function."""
        only = self.template[0]
        if self.period == 1 and isinstance(only, Region):
            body = only
        else:
            body = Region(one_of(list_name([*self.places])), list(self.template))
        if self.varies:
            vary(self.copies, body)
            body.varies = True
        return body

    def _settle(self, body: Region, place: Path) -> None:
        """Lets the arrays lie below one path, where they don't yet."""
        first = next(iter(self.places))
        if len(self.places) == 1 and first not in {p.path for p in params_in(body)}:
            body.copies = dict(self.places)
            body.scope = first
            return
        body.scope = (*place, "copy")
        moved: dict[Path, Path] = {}
        names: set[str] = set()
        for own in self.places:
            name = fresh(names, self._part_name(own))
            names.add(name)
            moved[own] = (*body.scope, name)
        relocate(body.items, moved)
        body.copies = {moved[own]: places for own, places in self.places.items()}

    def _part_name(self, place: Path) -> str:
        """The name of a part of a copy: that of its function, its op, or its list."""
        for part in every_part(self.template):
            if part.scope == place:
                return part.op if isinstance(part, Step) else snake(part.name)
        return list_name([place])

    def _name_inputs(self, body: Region) -> None:
        hint_values(body.items)
        for key, given in self.carries.items():
            if isinstance(key, Value):
                key.hint = key.hint or given.hint
        for value, piece in self.slices.items():
            value.hint = value.hint or piece.source.hint
        own = {v for part in self.template for v in made(part)}
        name_inputs(body, own, first=[k for k in self.carries if isinstance(k, Value)])

    def _place(self, name: str, scope: Path, taken: set[Path]) -> Path:
        """Where its arrays lie, as a path of the source, which there may not be."""
        path = next(iter(self.places.values()))[0]
        parent, word = path[:-1], word_of(path[-1])
        place = (*parent, word) if word else parent
        parents = {own[:-1] for own in self.places}
        if len(parents) > 1 or (word and len(self.places) > 1):
            place = (*common([(*p, "") for p in parents]), name)
        elif len(place) == len(scope):
            place = (*parent, name)
        if place in taken:
            return (*place[:-1], identifier(f"{place[-1]}_{path[-1]}"))
        return place
