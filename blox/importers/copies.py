"""A run of parts as copies of one function: what each carries on, and where its arrays lie."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .closing import name_inputs
from .matching import Key, Match, Part, key_of, matched
from .names import hint_values
from .regions import everything, identifier, is_under, made
from .trace import Param, Path, Region, Step, Value

Uses = Mapping[Value | Path, int]


@dataclass
class Run:
    """Equal copies in the items of a region. The last one is the template.

    Args:
        start: the first item.
        period: how many items a copy has.
        matches: of each copy before the last, what it has for what is in the template.
        carries: what flows into the template and is carried, with its next value.
        scopes: the path of the module of each copy; none where all are one module.
    """

    start: int
    period: int
    template: Sequence[Part]
    matches: list[Match]
    carries: dict[Key, Value]
    scopes: tuple[Path, ...]

    @property
    def count(self) -> int:
        return len(self.matches) + 1

    @property
    def end(self) -> int:
        return self.start + self.count * self.period

    def step(self, scope: Path, taken: set[Path]) -> Step:
        """The `repeat` that does what they do.

        Args:
            scope: of the function that it stands in.
            taken: where other repeats of this function lie; this one is added.
        """
        body = self._body()
        carry: dict[str, Value] = {}
        inputs: dict[str, Value] = {}
        body.outputs = {}
        for value, name in body.inputs.items():
            first = self.matches[0].values[key_of(value)]
            if (given := self.carries.get(key_of(value))) is not None:
                carry[name] = first
                body.outputs[name] = given
            else:
                inputs[name] = value
        attributes: dict[str, object] = {"count": self.count, "scan": True}
        if not self.scopes:
            attributes |= {"scan": False, "shared": True}
        if body.remat:
            attributes["remat"] = body.remat
        place = self._place(body, scope, taken)
        taken.add(place)
        operands = {"carry": carry, "inputs": inputs}
        return Step(
            "repeat",
            {role: given for role, given in operands.items() if given},
            attributes,
            list(body.outputs.values()),
            tuple(body.outputs),
            scope=place,
            functions={"function": body},
            hint=several(body.name),
        )

    def _body(self) -> Region:
        """The template as a function."""
        only = self.template[0]
        if self.period == 1 and isinstance(only, Region):
            body = only
        else:
            name = one_of(_list_name(self.scopes[-1])) if self.scopes else "step"
            body = Region(name, list(self.template))
        if self.scopes:
            body.scope = self.scopes[-1]
            body.copies = self.scopes
        hint_values(body.items)
        for key, given in self.carries.items():
            if isinstance(key, Value):
                key.hint = key.hint or given.hint
        own = {v for part in self.template for v in made(part)}
        name_inputs(body, own, first=[k for k in self.carries if isinstance(k, Value)])
        return body

    def _place(self, body: Region, scope: Path, taken: set[Path]) -> Path:
        """Where its arrays lie, as a path of the source, which there may not be."""
        if not self.scopes:
            return body.scope or scope
        path = self.scopes[0]
        parent, word = path[:-1], re.sub(r"_?\d+$", "", str(path[-1]))
        place = (*parent, word) if word else parent
        if len(place) == len(scope) and (place in taken or not scope):
            place = (*parent, several(body.name))
        if place in taken:
            return (*place[:-1], identifier(f"{place[-1]}_{path[-1]}"))
        return place


def run_of(
    parts: Sequence[Part], start: int, period: int, scope: Path, uses: Uses
) -> Run | int:
    """The parts as copies of `period` parts each, else how many copies may be a run.

    Args:
        start: their place in the region.
        scope: of the region.
        uses: how often each value is used, and each array of the source.
    """
    copies = [parts[i : i + period] for i in range(0, len(parts), period)]
    template = copies[-1]
    matches: list[Match] = []
    for place, copy in enumerate(copies[:-1]):
        match = matched(template, copy)
        if match is None or match.differs:
            return len(copies) - 1
        if _is_seen(copy, copies[place + 1], uses):
            return place + 1
        matches.append(match)
    sorting = _sorted(matches)
    if sorting is None:
        return 0
    carries, params = sorting
    paths = [[p.path for p in [*(m.param(p) for m in matches), p]] for p in params]
    found = {scopes_of(own) for own in paths}
    if not carries or len(found) > 1 or None in found:
        return 0
    scopes = next(iter(found), None) or ()
    if not _is_whole(parts, matches, params, scopes, scope, uses):
        return 0
    return Run(start, period, template, matches, carries, scopes)


def _is_seen(copy: Sequence[Part], after: Sequence[Part], uses: Uses) -> bool:
    """True where others than it and the next copy need what a copy gives."""
    own = {v for part in copy for v in made(part)}
    both = Counter(v for part in (*copy, *after) for v in everything(part) if v in own)
    return any(uses[v] != both[v] for v in own)


def _sorted(matches: Sequence[Match]) -> tuple[dict[Key, Value], list[Param]] | None:
    """What is carried, by its next value, and the arrays that are others in each copy."""
    carries: dict[Key, Value] = {}
    params: list[Param] = []
    for key, value in matches[-1].free.items():
        if all(key_of(m.values[key]) == key for m in matches):
            continue
        if isinstance(value, Param):
            params.append(value)
            continue
        onward = [o for o, seen in matches[-1].values.items() if seen is value]
        chain = list(pairwise(matches))
        given = next(
            (
                o
                for o in onward
                if isinstance(o, Value)
                and all(b.values[key] is a.values[o] for a, b in chain)
            ),
            None,
        )
        if given is None:
            return None
        carries[key] = given
    return carries, params


def scopes_of(paths: Sequence[Path]) -> tuple[Path, ...] | None:
    """The paths of the modules that count up in one place, of one array of each copy."""
    if len({len(path) for path in paths}) > 1:
        return None
    columns = list(zip(*paths, strict=True))
    places = [i for i, column in enumerate(columns) if len(set(column)) > 1]
    if len(places) != 1:
        return None
    place = places[0]
    words = [re.fullmatch(r"(.*?)(\d+)", str(part)) for part in columns[place]]
    if None in words or len({w[1] for w in words if w}) > 1:
        return None
    numbers = [int(w[2]) for w in words if w]
    step = numbers[1] - numbers[0]
    if step < 1 or numbers != list(range(numbers[0], numbers[-1] + 1, step)):
        return None
    return tuple(path[: place + 1] for path in paths)


def _is_whole(
    parts: Sequence[Part],
    matches: Sequence[Match],
    params: Sequence[Param],
    scopes: tuple[Path, ...],
    scope: Path,
    uses: Uses,
) -> bool:
    """True where the arrays of each copy lie in it, and nothing else uses them."""
    if not scopes:
        return len(parts) == len(matches) + 1 and isinstance(parts[0], Region)
    if not is_under(scopes[0][:-1], scope):
        return False
    used = [v for part in parts for v in everything(part) if isinstance(v, Param)]
    own = Counter(p.path for p in used if any(is_under(p.path, s) for s in scopes))
    varying = {p.path for p in params} | {
        m.param(p).path for m in matches for p in params
    }
    if any(uses[path] != count or path not in varying for path, count in own.items()):
        return False
    return all(
        match.scopes_fit(scopes[-1], copy)
        for match, copy in zip(matches, scopes, strict=False)
    )


def _list_name(path: Path) -> str:
    """The name of the list that a path is a part of."""
    words = [re.sub(r"_?\d+$", "", str(part)) for part in path]
    return identifier(next((w for w in reversed(words) if w), "layers"))


def one_of(name: str) -> str:
    """`layers` -> `layer`."""
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def several(name: str) -> str:
    """`layer` -> `layers`."""
    return name if name.endswith("s") else f"{name}s"
