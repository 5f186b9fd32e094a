"""The order in which a person would write steps: what is used once stands where it is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from .regions import made
from .trace import Region, Step, Value, values_in


def order(region: Region) -> None:
    """Moves what one item uses, once, to just before that item, in the order of its
    operands, in a region whose inputs are known and in all that are in it."""
    for item in region.items:
        for inner in [item] if isinstance(item, Region) else item.functions.values():
            order(inner)
    uses = Counter(region.outputs.values())
    for item in region.items:
        uses.update(_flowing(item))
    maker: dict[Value, Step | Region] = {}
    lone: set[Step | Region] = set()
    for item in region.items:
        own = list(made(item))
        maker |= dict.fromkeys(own, item)
        given = [v for v in own if uses[v]]
        if len(given) == 1 and uses[given[0]] == 1 and _is_pure(item):
            lone.add(item)
    lone -= {maker[v] for v in region.outputs.values() if v in maker}
    done: list[Step | Region] = []
    for item in region.items:
        if item not in lone:
            done += _with_operands(item, maker, lone)
    region.items = done


def _with_operands(
    item: Step | Region,
    maker: dict[Value, Step | Region],
    lone: set[Step | Region],
) -> list[Step | Region]:
    """An item behind those that only it needs, in order."""
    found: list[Step | Region] = []
    waiting = [item]
    while waiting:
        current = waiting.pop()
        found.append(current)
        makers = [maker[v] for v in _flowing(current) if v in maker]
        waiting += [m for m in makers if m in lone]
    return found[::-1]


def _flowing(item: Step | Region) -> Iterator[Value]:
    """What flows into an item, in order."""
    if isinstance(item, Region):
        yield from item.inputs
    else:
        yield from values_in(item.operands)
        yield from values_in(item.slots)


def _is_pure(item: Step | Region) -> bool:
    if isinstance(item, Region):
        return all(map(_is_pure, item.items))
    return item.op != "assign" and all(map(_is_pure, item.functions.values()))
