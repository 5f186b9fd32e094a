"""The order in which a person would write steps: what is used once stands where it is used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from .regions import everything, made
from .trace import Region, Step, Value, values_in

ARRANGING = ("squeeze", "expand_dims", "transpose", "swapaxes")
"""Ops that arrange the axes of x."""


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
    place = {item: at for at, item in enumerate(region.items)}
    done: list[Step | Region] = []
    for item in region.items:
        if item not in lone:
            done += _with_operands(item, maker, lone, place)
    region.items = done


def absorb(region: Region) -> None:
    """Lets functions give what they give as it is used: a step that only arranges what one
    function alone gives becomes the last of that function."""
    uses = Counter(everything(region)) + Counter(region.outputs.values())
    _absorb(region, uses)


def _absorb(region: Region, uses: Counter[Value]) -> None:
    makers: dict[Value, Region] = {}
    kept: list[Step | Region] = []
    for item in region.items:
        if isinstance(item, Region):
            makers |= dict.fromkeys(made(item), item)
        elif (inner := _arranged(item, makers, uses)) is not None:
            inner.items.append(item)
            makers[item.outputs[0]] = inner
            continue
        kept.append(item)
    region.items = kept
    for item in kept:
        if isinstance(item, Region):
            _absorb(item, uses)
        else:
            for body in item.functions.values():
                absorb(body)


def _arranged(
    step: Step, makers: Mapping[Value, Region], uses: Counter[Value]
) -> Region | None:
    """The region that gives what a step arranges, and nothing else outside of it uses."""
    x = step.operands.get("x")
    if step.op not in ARRANGING or not isinstance(x, Value) or x not in makers:
        return None
    inner = makers[x]
    inside = sum(value is x for value in everything(inner))
    return inner if uses[x] == inside + 1 else None


def _with_operands(
    item: Step | Region,
    maker: dict[Value, Step | Region],
    lone: set[Step | Region],
    place: dict[Step | Region, int],
) -> list[Step | Region]:
    """An item behind those that only it needs, in the order of operands; that of the
    source where several have layers.

    Args:
        place: in the source's order.
    """
    found: list[Step | Region] = []
    waiting = [item]
    while waiting:
        current = waiting.pop()
        found.append(current)
        makers = [maker[v] for v in _flowing(current) if v in maker]
        own = [m for m in makers if m in lone]
        heavy = sum(_has_layers(m, maker, lone) for m in own) > 1
        waiting += sorted(own, key=place.__getitem__) if heavy else own
    return found[::-1]


def _has_layers(
    item: Step | Region,
    maker: Mapping[Value, Step | Region],
    lone: set[Step | Region],
) -> bool:
    """True where an item, or one that only it needs, is a function or a layer."""
    waiting = [item]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Region) or current.slots:
            return True
        makers = [maker[v] for v in _flowing(current) if v in maker]
        waiting += [m for m in makers if m in lone]
    return False


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
