"""Copies of a repeat: numbered in paths, or stacked in arrays.

They lie in one array each (`h.0.up.kernel`, `h.1.up.kernel`, ...) or in one stacked
array (`h.up.kernel`, a leading axis), in the Graph and in the file. The two need not
agree. A node's name never begins with a digit, so a number in a path is always that of
a copy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import NamedTuple

from blox.schema import Leaf
from blox.weights import LeafSpec

_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
_MAX_PIECES = 1_000_000
"""Of the arrays of one family."""

Index = tuple[int | None, ...]
"""Leading axes of an array: a number picks, None keeps the axis."""


class Piece(NamedTuple):
    """`array[into] = tensors[name][of]`."""

    name: str
    into: Index = ()
    of: Index = ()


@dataclass(eq=False, slots=True)
class Family:
    """The leaves whose paths differ only by the numbers of copies.

    `template` has None where such a number may stand; these places are the slots.
    `numbered` are the slots that the Graph numbers (unrolled), it stacks the others.
    """

    template: tuple[str | None, ...]
    numbered: frozenset[int]
    members: dict[tuple[int, ...], tuple[str, Leaf]] = field(default_factory=dict)

    @property
    def slots(self) -> range:
        return range(self.template.count(None))

    def sizes(self) -> list[int] | None:
        """The number of copies at every slot; None if copies are not all alike."""
        first = next(iter(self.members.values()))[1]
        alike = all(
            (leaf.full_shape, leaf.dtype) == (first.full_shape, first.dtype)
            for _, leaf in self.members.values()
        )
        counts = [max(numbers) + 1 for numbers in zip(*self.members, strict=True)]
        if not alike or math.prod(counts) != len(self.members):
            return None
        given = {True: iter(counts), False: iter(first.stack)}
        return [next(given[slot in self.numbered]) for slot in self.slots]


def families(leaves: Mapping[str, Leaf]) -> Iterable[Family]:
    """Leaves by family, in the order of the program."""
    found: dict[tuple[object, ...], Family] = {}
    for path, leaf in leaves.items():
        parts = path.split(".")
        cuts = [len(parts) - below for below in leaf.below]
        template: list[str | None] = []
        numbers: dict[int, int] = {}
        slot = 0
        for at, part in enumerate(parts):
            stacked = cuts.count(at)
            template += [None] * stacked
            slot += stacked
            if _NUMBER.fullmatch(part):
                numbers[slot] = int(part)
                template.append(None)
                slot += 1
            else:
                template.append(part)
        key = (tuple(template), frozenset(numbers))
        family = found.setdefault(key, Family(*key))
        family.members[tuple(numbers.values())] = (path, leaf)
    return found.values()


def patterns_of(
    names: Iterable[str],
) -> dict[tuple[str, ...], dict[tuple[str | None, ...], int]]:
    """By the names in a path: the ways in which the file numbers it, and how often."""
    found: dict[tuple[str, ...], dict[tuple[str | None, ...], int]] = {}
    for name in names:
        parts = name.split(".")
        pattern = tuple(None if _NUMBER.fullmatch(p) else p for p in parts)
        key = tuple(p for p in pattern if p is not None)
        counts = found.setdefault(key, {})
        counts[pattern] = counts.get(pattern, 0) + 1
    return found


def layout(
    family: Family,
    patterns: Mapping[tuple[str, ...], Mapping[tuple[str | None, ...], int]],
) -> frozenset[int]:
    """The slots that the file numbers; those of the Graph if there is no other way."""
    key = tuple(p for p in family.template if p is not None)
    found = []
    for pattern, count in patterns.get(key, {}).items():
        inside = _match(family.template, pattern)
        if inside is not None:
            found.append((inside, count))
    if any(inside == family.numbered for inside, _ in found):
        return family.numbered
    alike = family.sizes() is not None
    for inside, count in found:
        # Copies that differ can only be put together or taken apart one by one; and a
        # count that no file of this size could meet must not make us list it.
        if (alike or family.numbered <= inside) and (
            _pieces(family, inside)
            <= min(2 * count * len(family.members) + 64, _MAX_PIECES)
        ):
            return inside
    return family.numbered


def _pieces(family: Family, inside: frozenset[int]) -> int:
    total = 0
    for _, leaf in family.members.values():
        stacked = [slot for slot in family.slots if slot not in family.numbered]
        counts = zip(stacked, leaf.stack, strict=True)
        total += math.prod(count for slot, count in counts if slot in inside)
    return total


def _match(
    template: tuple[str | None, ...], pattern: tuple[str | None, ...]
) -> frozenset[int] | None:
    """The slots of `template` that `pattern` fills, outermost first."""
    inside = set()
    slot, at = 0, 0
    for part in template:
        here = pattern[at] if at < len(pattern) else ""
        if part is None:
            if here is None:
                inside.add(slot)
                at += 1
            slot += 1
        elif part == here:
            at += 1
        else:
            return None
    return frozenset(inside) if at == len(pattern) else None


def convert(
    family: Family,
    inside: frozenset[int],
    expected: dict[str, LeafSpec],
    pieces: dict[str, list[Piece]],
) -> None:
    """Both ways at once: slots of names become axes, axes become slots of names."""
    sizes = family.sizes()
    for numbers, (path, leaf) in family.members.items():
        fixed = dict(zip(sorted(family.numbered), numbers, strict=True))
        stacked = [slot for slot in family.slots if slot not in family.numbered]
        counts = dict(zip(stacked, leaf.stack, strict=True))
        if sizes is not None:
            counts = dict(zip(family.slots, sizes, strict=True))
        shape = tuple(counts[s] for s in family.slots if s not in inside) + leaf.shape
        apart = [slot for slot in stacked if slot in inside]
        pieces[path] = []
        for chosen in product(*(range(counts[slot]) for slot in apart)):
            at = fixed | dict(zip(apart, chosen, strict=True))
            name = _name(family.template, {s: at[s] for s in inside})
            into = tuple(at[s] if s in inside else None for s in stacked)
            of = tuple(fixed.get(s) for s in family.slots if s not in inside)
            expected[name] = LeafSpec(shape, leaf.dtype)
            pieces[path].append(Piece(name, into, of))


def _name(template: tuple[str | None, ...], numbers: Mapping[int, int]) -> str:
    parts = []
    slot = 0
    for part in template:
        if part is not None:
            parts.append(part)
            continue
        if slot in numbers:
            parts.append(str(numbers[slot]))
        slot += 1
    return ".".join(parts)
