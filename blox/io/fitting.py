"""Weight headers against a Graph: where the array of each leaf is to be had from.

The copies of a repeat lie in one stacked array (`h.up.kernel`, a leading axis) or in
one array each (`h.0.up.kernel`, `h.1.up.kernel`, ...), in the Graph and in the file:
the two need not agree. A node's name never begins with a digit, so a number in a path
is always that of a copy. Only headers are looked at.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from blox.schema import Graph, Leaf
from blox.schema.errors import Diagnostic, quote
from blox.weights import Headers, LeafSpec, TensorInfo, compare
from blox.weights.dtypes import NEEDS_X64

from .spec import DIGEST_KEY

_NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")

Index = tuple[int | None, ...]
"""Leading axes of an array: a number picks, None keeps the axis."""


@dataclass(frozen=True, slots=True)
class Piece:
    """`array[into] = tensors[name][of]`."""

    name: str
    into: Index = ()
    of: Index = ()


@dataclass(frozen=True, slots=True)
class Fit:
    """`pieces`: by graph path, what its array is made of. `findings`: what differs."""

    pieces: dict[str, list[Piece]]
    findings: list[Diagnostic]


@dataclass(eq=False, slots=True)
class _Family:
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


def fit(headers: Headers, graph: Graph, *, x64: bool) -> Fit:
    """Holds headers against the leaves of a sound Graph.

    Args:
        headers: of `read_headers`.
        graph: whose `program()` is there to be had.
        x64: whether JAX takes 64-bit values.

    Returns:
        A Fit whose findings are all differences of names, shapes and dtypes; a Graph
        other than the one that the weights were saved with is a warning.
    """
    expected: dict[str, LeafSpec] = {}
    pieces: dict[str, list[Piece]] = {}
    findings = list(_digest(headers, graph))
    patterns = _patterns(headers.tensors)
    for family in _families(graph.program().leaves()):
        inside = _layout(family, patterns)
        if inside == family.numbered:
            for path, leaf in family.members.values():
                expected[path] = LeafSpec(leaf.full_shape, leaf.dtype)
                pieces[path] = [Piece(path)]
        else:
            _convert(family, inside, expected, pieces)
    findings += compare(headers, expected)
    findings += _mixed(pieces, headers.tensors)
    if not x64:
        findings += _wide(expected, headers.tensors)
    return Fit(pieces, findings)


def _digest(headers: Headers, graph: Graph) -> Iterator[Diagnostic]:
    saved = headers.metadata.get(DIGEST_KEY)
    if saved is not None and saved != graph.digest:
        yield Diagnostic(
            "weights-digest",
            "",
            f"expected weights of the Graph {graph.digest[:19]}, found those of "
            f"{quote(saved[:19])}",
            "the Graph was changed since they were saved; save the model again if that "
            "was meant",
            "warning",
        )


def _families(leaves: Mapping[str, Leaf]) -> Iterable[_Family]:
    families: dict[tuple[object, ...], _Family] = {}
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
        family = families.setdefault(key, _Family(*key))
        family.members[tuple(numbers.values())] = (path, leaf)
    return families.values()


def _patterns(
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


def _layout(
    family: _Family,
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
            _pieces(family, inside) <= 2 * count * len(family.members) + 64
        ):
            return inside
    return family.numbered


def _pieces(family: _Family, inside: frozenset[int]) -> int:
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


def _convert(
    family: _Family,
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


def _mixed(
    pieces: Mapping[str, list[Piece]], tensors: Mapping[str, TensorInfo]
) -> Iterator[Diagnostic]:
    for path, parts in pieces.items():
        found = dict.fromkeys(tensors[p.name].dtype for p in parts if p.name in tensors)
        if len(found) > 1:
            wanted = "expected one dtype for the copies that are stacked here"
            yield Diagnostic(
                "weights-dtype", path, f"{wanted}, found {' and '.join(found)}"
            )


def _wide(
    expected: Iterable[str], tensors: Mapping[str, TensorInfo]
) -> Iterator[Diagnostic]:
    for name in expected:
        if name in tensors and tensors[name].dtype in NEEDS_X64:
            yield Diagnostic(
                "weights-x64",
                name,
                f"expected at most 32 bits per value, found {tensors[name].dtype}",
                'JAX would cut it: jax.config.update("jax_enable_x64", True), or store'
                " a narrower dtype",
            )
