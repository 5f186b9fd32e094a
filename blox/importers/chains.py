"""Whether parts are a chain of copies: what they carry on, and where their arrays lie."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from .copies import Run
from .matching import Key, Match, Part, key_of, matched
from .regions import everything, is_under, made
from .series import Outside
from .trace import Param, Path, Region, Step, Value

Uses = Mapping[Value | Path, int]


def run_of(
    parts: Sequence[Part],
    start: int,
    period: int,
    scope: Path,
    uses: Uses,
    outside: Outside,
) -> Run | int:
    """The parts as copies of `period` parts each, else how many copies may be a run.

    Args:
        start: their place in the region.
        scope: of the region.
        uses: how often each value is used, and each array of the source.
        outside: the slices and stacks of the region.
    """
    copies = [parts[i : i + period] for i in range(0, len(parts), period)]
    matches: list[Match] = []
    for copy in copies[:-1]:
        match = matched(copies[-1], copy)
        if match is None:
            return len(copies) - 1
        matches.append(match)
    stacks = _stacks(copies[-1], matches, outside)
    seen = [
        _seen(copy, after, {m.values[own] for own in stacks}, uses)
        for copy, after, m in zip(copies, copies[1:], matches, strict=False)
    ]
    collected = [
        own
        for own in (v for part in copies[-1] for v in made(part))
        if all(m.values[own] in out for m, out in zip(matches, seen, strict=True))
    ]
    for place, out in enumerate(seen):
        if out - {matches[place].values[own] for own in collected}:
            return place + 1
    run = Run(start, copies, matches, stacks=stacks, collected=collected)
    if not _sort(run, outside):
        return len(copies) - 1
    if not run.carries or (collected and run.axis):
        return 0
    given = {*run.carries.values(), *collected}
    if _seen(copies[-1], (), {*stacks}, uses) - given:
        return len(copies) - 1
    return run if _is_whole(run, scope, uses) else 0


def _stacks(
    template: Sequence[Part], matches: Sequence[Match], outside: Outside
) -> dict[Value, Step]:
    """The values that are stacked with those of all copies, and the steps that do."""
    found: dict[Value, Step] = {}
    for own in (v for part in template for v in made(part)):
        step = outside.stacked(own, matches)
        if step is not None:
            found[own] = step
    return found


def _seen(
    copy: Sequence[Part], after: Sequence[Part], stacked: set[Value], uses: Uses
) -> set[Value]:
    """What a copy makes and others than it and the next copy need.

    Args:
        stacked: what is stacked, which is one use of each.
    """
    own = {v for part in copy for v in made(part)}
    both = Counter(v for part in (*copy, *after) for v in everything(part) if v in own)
    return {v for v in own if uses[v] != both[v] + (v in stacked)}


def _sort(run: Run, outside: Outside) -> bool:
    """Tells apart what flows into all copies; False where they are none."""
    arrays: list[list[Path]] = []
    matches = run.matches
    for key, value in matches[-1].free.items():
        every = [*(m.values[key] for m in matches), value]
        if all(key_of(v) == key for v in every):
            continue
        if isinstance(value, Param):
            arrays.append([v.path for v in every if isinstance(v, Param)])
        elif (given := _next(key, value, matches)) is not None:
            run.carries[key] = given
        elif (first := outside.series(every)) is not None:
            run.slices[value] = first
        else:
            return False
    places = places_of(arrays)
    run.places = places or {}
    return places is not None and run.axis is not None


def _next(key: Key, value: Value, matches: Sequence[Match]) -> Value | None:
    """The value of the template that is the next one of a value which flows in."""
    for own, seen in matches[-1].values.items():
        if seen is value and isinstance(own, Value):
            before = pairwise(matches)
            if all(b.values[key] is a.values[own] for a, b in before):
                return own
    return None


def places_of(arrays: Sequence[Sequence[Path]]) -> dict[Path, tuple[Path, ...]] | None:
    """By the paths in the last copy under which all arrays lie, those in each copy; None
    where they don't count up.

    Args:
        arrays: the paths of each array, by copy.
    """
    found: dict[Path, tuple[Path, ...]] = {}
    for paths in arrays:
        places = counting(paths)
        if places is None or found.setdefault(places[-1], places) != places:
            return None
    every = [place for places in found.values() for place in places]
    return found if len(set(every)) == len(every) else None


def counting(paths: Sequence[Path]) -> tuple[Path, ...] | None:
    """The starts of paths that differ in one place, where they count up."""
    if len({len(path) for path in paths}) > 1:
        return None
    columns = list(zip(*paths, strict=True))
    differing = [i for i, column in enumerate(columns) if len(set(column)) > 1]
    if len(differing) != 1:
        return None
    place = differing[0]
    words = [re.fullmatch(r"(.*?)(\d+)", str(part)) for part in columns[place]]
    if None in words or len({w[1] for w in words if w}) > 1:
        return None
    numbers = [int(w[2]) for w in words if w]
    step = numbers[1] - numbers[0]
    if step < 1 or numbers != list(range(numbers[0], numbers[-1] + 1, step)):
        return None
    return tuple(path[: place + 1] for path in paths)


def _is_whole(run: Run, scope: Path, uses: Uses) -> bool:
    """True where the arrays of each copy lie in it, and nothing else uses them."""
    if not run.places:
        alone = run.period == 1 and isinstance(run.template[0], Region)
        return (alone or bool(run.slices)) and not run.varies
    if not all(is_under(places[0][:-1], scope) for places in run.places.values()):
        return False
    used = [v for c in run.copies for part in c for v in everything(part)]
    counts = Counter(v.path for v in used if isinstance(v, Param))
    own = {path: count for path, count in counts.items() if run.has(path)}
    if any(uses[path] != count for path, count in own.items()):
        return False
    first = {
        v.path
        for part in run.template
        for v in everything(part)
        if isinstance(v, Param)
    }
    inside = [p for p in first if any(is_under(p, place) for place in run.places)]
    return len(own) == len(inside) * run.count and all(
        match.scopes_fit({own: places[copy] for own, places in run.places.items()})
        for copy, match in enumerate(run.matches)
    )
