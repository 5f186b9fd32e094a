"""Names of functions: a Python function's own; of variants, what they differ by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from blox.schema.names import MAX_NAME, RESERVED, is_name, name_of

from .groups import Group
from .python_function import signature_of
from .sizes import plain
from .trace import Trace


def named(groups: Sequence[Group]) -> None:
    """Gives each group a name of its own: `bottleneck_project` beside `bottleneck`.

    A function that is called as an op or the model is gets a number; entries keep their
    names.
    """
    by_name: dict[str, list[Group]] = {}
    for group in groups:
        by_name.setdefault(group.first.name, []).append(group)
    ops = {n.op for g in groups for n in g.first.nodes.values()}
    others = {*RESERVED, *ops, groups[0].first.session.name}
    taken = others | {name for name, own in by_name.items() if len(own) == 1}
    taken |= {group.first.name for group in groups if group.first.parent is None}
    for name, variants in by_name.items():
        if len(variants) == 1 and name not in others:
            variants[0].name = name
            continue
        words = _words_of(variants)
        for group in variants:
            if group.first.parent is None:
                group.name = name
                continue
            wanted = name_of("_".join([name, *words[group]]))
            group.name = _free(wanted, taken)
            taken.add(group.name)


def _words_of(variants: Sequence[Group]) -> dict[Group, tuple[str, ...]]:
    """What is added to the name of each variant: arguments by which calls differ, then
    nodes that some variants have, or what is set in them, then numbers; the first that
    tell all apart."""
    found: dict[Group, tuple[str, ...]] = {}
    for numbers, marks_of in (
        (False, None),
        (False, _nodes),
        (False, _flags),
        (True, None),
    ):
        telling = _telling(variants, numbers)
        found = {group: tuple(_words(group, telling)) for group in variants}
        if marks_of is not None:
            _add_marks(found, marks_of)
        found = {g: () if g.first.parent is None else w for g, w in found.items()}
        if len(set(found.values())) == len(variants):
            break
    return found


def _nodes(group: Group) -> list[str]:
    return [n.op if n.unnamed else name for name, n in group.first.nodes.items()]


def _flags(group: Group) -> list[str]:
    return [
        name
        for node in group.first.nodes.values()
        for name, value in node.fields.items()
        if value is True
    ]


def _add_marks(
    words: dict[Group, tuple[str, ...]], marks_of: Callable[[Group], list[str]]
) -> None:
    """Adds the first marks that some variants have and others don't, as far as these
    tell apart what has the same words."""
    places: dict[str, int] = {}
    marks: dict[Group, set[str]] = {}
    for group in words:
        own = list(map(str.lower, marks_of(group)))
        marks[group] = {mark for mark in own if is_name(mark)}
        for place, mark in enumerate(own):
            places[mark] = min(place, places.get(mark, place))
    # By place and name, so that the order of calls decides nothing.
    for mark in sorted(places, key=lambda mark: (places[mark], mark)):
        finer = {
            group: (*own, mark) if mark in marks[group] else own
            for group, own in words.items()
        }
        if len(set(finer.values())) > len(set(words.values())):
            words |= finer


def _free(wanted: str, taken: set[str]) -> str:
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = name_of(f"{wanted[: MAX_NAME - 8]}_{count}")
    return name


def _telling(variants: Sequence[Group], numbers: bool) -> list[str]:
    """The first arguments that tell variants apart, each the same within a variant."""
    names = dict.fromkeys(
        n
        for g in variants
        for t in g.traces
        for n in signature_of(t.function).parameters
    )
    telling: list[str] = []
    known: dict[Group, tuple[str, ...]] = dict.fromkeys(variants, ())
    for name in names:
        values = {g: [_value(t, name) for t in g.traces] for g in variants}
        every = [value for own in values.values() for value in own]
        if not numbers and any(_is_number(value) for value in every):
            continue
        texts = {g: sorted({repr(value) for value in own}) for g, own in values.items()}
        finer = {g: (*known[g], texts[g][0]) for g in variants}
        alike = all(len(own) == 1 for own in texts.values())
        if alike and len(set(finer.values())) > len(set(known.values())):
            telling.append(name)
            known = finer
    return telling


def _value(trace: Trace, name: str) -> Any:
    """An argument of a call; True for a value that flows."""
    return True if name in trace.inputs else plain(trace.static.get(name))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _words(group: Group, telling: Sequence[str]) -> Iterator[str]:
    for name in telling:
        value = _value(group.first, name)
        if value is True:
            yield name
        elif isinstance(value, str) and is_name(value):
            yield value
        elif type(value) is int and value >= 0:
            yield f"{name}{value}"
        elif callable(value) and is_name(getattr(value, "__name__", "")):
            yield value.__name__
