"""Names of functions: a Python function's own; of variants, what their calls differ by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from blox.schema.names import is_name

from .groups import Group
from .sizes import plain


def named(groups: Sequence[Group]) -> None:
    """Gives each group a name of its own: `bottleneck_project` beside `bottleneck`.

    A function that is called as an op is gets a number; entries keep their names.
    """
    by_name: dict[str, list[Group]] = {}
    for group in groups:
        by_name.setdefault(group.first.name, []).append(group)
    ops = {n.op for g in groups for n in g.first.nodes.values()}
    taken = ops | {name for name, own in by_name.items() if len(own) == 1}
    for name, variants in by_name.items():
        alone = len(variants) == 1
        if alone and (name not in ops or variants[0].first.parent is None):
            variants[0].name = name
            continue
        words = _words_of(variants)
        for group in variants:
            wanted = _short("_".join([name, *words[group]]))
            group.name = _free(wanted, taken)
            taken.add(group.name)


def _words_of(variants: Sequence[Group]) -> dict[Group, tuple[str, ...]]:
    """What is added to the name of each variant; numbers only where nothing else tells."""
    telling = _telling(variants)
    found: dict[Group, tuple[str, ...]] = {}
    for numbers in (False, True):
        for group in variants:
            entry = group.first.parent is None
            words = () if entry else tuple(_words(group, telling, numbers))
            found[group] = words
        if len(set(found.values())) == len(variants):
            break
    return found


def _free(wanted: str, taken: set[str]) -> str:
    name, count = wanted, 1
    while name in taken:
        count += 1
        name = f"{wanted}_{count}"
    return name


def _short(name: str) -> str:
    return name if is_name(name) else name[:48].rstrip("_")


def _telling(variants: Sequence[Group]) -> list[str]:
    """The arguments that are one within each variant and differ between them."""
    names = dict.fromkeys(n for g in variants for t in g.traces for n in t.static)
    telling = []
    for name in names:
        values = []
        for group in variants:
            own = {repr(plain(t.static.get(name))) for t in group.traces}
            values.append(own)
        if all(len(own) == 1 for own in values) and len(set(map(min, values))) > 1:
            telling.append(name)
    return telling


def _words(group: Group, telling: Sequence[str], numbers: bool) -> Iterator[str]:
    for name in telling:
        value: Any = plain(group.first.static.get(name))
        if value is True:
            yield name
        elif isinstance(value, str) and is_name(value):
            yield value
        elif numbers and type(value) is int and value >= 0:
            yield f"{name}{value}"
        elif callable(value) and is_name(getattr(value, "__name__", "")):
            yield value.__name__
