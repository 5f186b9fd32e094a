"""Parts of a run whose arrays lie in several places, or that differ by numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .matching import Part
from .regions import everything, is_under
from .trace import Each, Param, Path, Region, Step


def relocate(parts: Sequence[Part], moved: Mapping[Path, Path]) -> None:
    """Lets arrays and modules below some paths lie below others.

    Args:
        moved: the new paths by the old ones, none of which is below another.
    """

    def new(path: Path) -> Path:
        for old, place in moved.items():
            if is_under(path, old):
                return (*place, *path[len(old) :])
        return path

    params: set[Param] = set()
    for value in (v for part in parts for v in everything(part)):
        if isinstance(value, Param):
            params |= {value, value.base or value}
    for param in params:
        param.path = new(param.path)
    for part in every_part(parts):
        if part.scope is not None:
            part.scope = new(part.scope)
        if isinstance(part, Region):
            part.copies = {
                new(own): tuple(map(new, others)) for own, others in part.copies.items()
            }


def every_part(parts: Sequence[Part]) -> Iterator[Part]:
    """All steps and regions, the functions of loops and branches among them."""
    for part in parts:
        yield part
        if isinstance(part, Region):
            yield from every_part(part.items)
        else:
            yield from every_part([*part.functions.values()])


def vary(copies: Sequence[Sequence[Part]], owner: Region) -> None:
    """Gives the last of several copies the numbers of all, where they differ.

    Args:
        owner: the function that it becomes.
    """
    for same in zip(*map(list, map(every_part, copies)), strict=True):
        steps = [part for part in same if isinstance(part, Step)]
        if steps:
            last = steps[-1]
            last.operands = _varied([s.operands for s in steps], owner)
            last.attributes = _varied([s.attributes for s in steps], owner)


def _varied(every: Sequence[Any], owner: Region) -> Any:
    last = every[-1]
    if isinstance(last, dict):
        return {key: _varied([e[key] for e in every], owner) for key in last}
    if isinstance(last, (list, tuple)):
        return [_varied(parts, owner) for parts in zip(*every, strict=True)]
    plain = isinstance(last, (int, float)) and not isinstance(last, bool)
    if plain and any(e != last for e in every):
        return Each(tuple(every), owner)
    return last
