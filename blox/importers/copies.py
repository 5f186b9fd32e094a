"""Equal copies as the function of a `repeat`: its inputs, its arrays, its name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .closing import name_inputs
from .matching import Key, Match, Part, key_of
from .names import hint_values
from .regions import common, fresh, identifier, is_under, made, params_in, snake
from .relocated import every_part, relocate, vary
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
    """

    start: int
    copies: Sequence[Sequence[Part]]
    matches: list[Match]
    carries: dict[Key, Value]
    places: dict[Path, tuple[Path, ...]]

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

    def has(self, path: Path) -> bool:
        """True for an array that is that of a copy."""
        every = (place for places in self.places.values() for place in places)
        return any(is_under(path, place) for place in every)

    def step(self, scope: Path, taken: set[Path]) -> Step:
        """The `repeat` that does what they do.

        Args:
            scope: of the function that it stands in.
            taken: where other repeats of this function lie; this one is added.
        """
        body = self._body()
        hint = several(body.name)
        place = self._place(hint, scope, taken) if self.places else body.scope or scope
        if self.places:
            taken.add(place)
            self._settle(body, place)
        self._name_inputs(body)
        carry: dict[str, Value] = {}
        inputs: dict[str, Value] = {}
        for value, name in body.inputs.items():
            if (given := self.carries.get(key_of(value))) is not None:
                carry[name] = self.matches[0].values[key_of(value)]
                body.outputs[name] = given
            else:
                inputs[name] = value
        attributes: dict[str, object] = {"count": self.count, "scan": not self.varies}
        if not self.places:
            attributes |= {"scan": False, "shared": True}
        if body.remat:
            attributes["remat"] = body.remat
        operands = {"carry": carry, "inputs": inputs}
        return Step(
            "repeat",
            {role: given for role, given in operands.items() if given},
            attributes,
            list(body.outputs.values()),
            tuple(body.outputs),
            scope=place,
            functions={"function": body},
            hint=hint,
        )

    def _body(self) -> Region:
        """The template as a function."""
        only = self.template[0]
        if self.period == 1 and isinstance(only, Region):
            body = only
        else:
            body = Region(one_of(_list_name([*self.places])), list(self.template))
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
        return _list_name([place])

    def _name_inputs(self, body: Region) -> None:
        hint_values(body.items)
        for key, given in self.carries.items():
            if isinstance(key, Value):
                key.hint = key.hint or given.hint
        own = {v for part in self.template for v in made(part)}
        name_inputs(body, own, first=[k for k in self.carries if isinstance(k, Value)])

    def _place(self, name: str, scope: Path, taken: set[Path]) -> Path:
        """Where its arrays lie, as a path of the source, which there may not be."""
        path = next(iter(self.places.values()))[0]
        parent, word = path[:-1], re.sub(r"_?\d+$", "", str(path[-1]))
        place = (*parent, word) if word else parent
        parents = {own[:-1] for own in self.places}
        if len(parents) > 1 or (word and len(self.places) > 1):
            place = (*common([(*p, "") for p in parents]), name)
        elif len(place) == len(scope):
            place = (*parent, name)
        if place in taken:
            return (*place[:-1], identifier(f"{place[-1]}_{path[-1]}"))
        return place


def _list_name(places: Sequence[Path]) -> str:
    """The name of the list that paths are parts of."""
    words = {
        next((w for w in map(_word, reversed(path)) if w), "layers") for path in places
    }
    return identifier(words.pop()) if len(words) == 1 else "layers"


def _word(part: str | int) -> str:
    return re.sub(r"_?\d+$", "", str(part))


def one_of(name: str) -> str:
    """`layers` -> `layer`."""
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def several(name: str) -> str:
    """`layer` -> `layers`."""
    return name if name.endswith("s") else f"{name}s"
