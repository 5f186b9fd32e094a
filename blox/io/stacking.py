"""Copies of a repeat: numbered in paths, or stacked in arrays.

They lie in one array each (`h.0.up.kernel`, `h.1.up.kernel`, ...) or in one stacked
array (`h.up.kernel`, a leading axis), in the Graph and in the file. The two need not
agree, but wherever copies may lie, the file numbers them for all arrays below or for
none. A node's name never begins with a digit, so a number in a path is always that of a
copy. `load_params` of generated files (`blox.ops.tail`) reads by the same rule.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from blox.schema import Leaf
from blox.weights import LeafSpec

_MAX_PIECES = 1_000_000
_MAX_MISSING = 1000
"""Tensors that a file lacks, one by one; further arrays are expected as the Graph has
them, so that no count of a Graph is listed that no file could meet."""

Index = tuple[int | None, ...]
"""Leading axes of an array: a number picks, None keeps the axis."""


class Piece(NamedTuple):
    """`array[into] = tensors[name][of]`."""

    name: str
    into: Index = ()
    of: Index = ()


class _Copy(NamedTuple):
    """A place in a path where copies lie: all of them on an axis, or one in a list."""

    number: int | None
    size: int


@dataclass
class Layout:
    """What each array of a Graph is made of, and what the tensors of a file should be.

    Args:
        leaves: by graph path.
        names: of the tensors of the file.
    """

    leaves: Mapping[str, Leaf]
    names: Collection[str]
    pieces: dict[str, list[Piece]] = field(default_factory=dict)
    expected: dict[str, LeafSpec] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.leaves.keys() == set(self.names):
            for path in self.leaves:
                self._as_it_is(path)
            return
        self._numbered = numbered(self.names)
        lists = _lists(self.leaves)
        self._left, self._missing = _MAX_PIECES, _MAX_MISSING
        for path, leaf in self.leaves.items():
            found = self._laid_out(leaf, _parts(path, leaf, lists))
            if found is None:
                self._as_it_is(path)
                continue
            self.pieces[path] = [piece for piece, _ in found]
            for piece, shape in found:
                self.expected[piece.name] = LeafSpec(shape, leaf.dtype)

    def _as_it_is(self, path: str) -> None:
        """Expects the array as the Graph has it."""
        leaf = self.leaves[path]
        self.pieces[path] = [Piece(path)]
        self.expected[path] = LeafSpec(leaf.full_shape, leaf.dtype)

    def _laid_out(
        self, leaf: Leaf, parts: list[str | _Copy]
    ) -> list[tuple[Piece, tuple[int, ...]]] | None:
        """The pieces of an array, with the whole shapes of their tensors.

        None where they would be too many, or where a tensor that holds copies is
        expected to have another shape for another of them.
        """
        found: list[tuple[Piece, tuple[int, ...]]] = []
        for piece, axes in self._walk(parts):
            shape = (*axes, *leaf.shape)
            other = self.expected.get(piece.name, LeafSpec(shape, leaf.dtype))
            self._left -= 1
            self._missing -= piece.name not in self.names
            if min(self._left, self._missing) < 0 or other != (shape, leaf.dtype):
                return None
            found.append((piece, shape))
        return found

    def _walk(
        self,
        parts: list[str | _Copy],
        name: str = "",
        into: Index = (),
        of: Index = (),
        axes: tuple[int, ...] = (),
    ) -> Iterator[tuple[Piece, tuple[int, ...]]]:
        """The pieces that the rest of a path stands for, with their stacked axes."""
        for at, part in enumerate(parts):
            if isinstance(part, str):
                name += f"{part}."
            elif part.number is None and name in self._numbered:
                for number in range(part.size):
                    whole = (*into, number)
                    yield from self._walk(
                        parts[at + 1 :], f"{name}{number}.", whole, of, axes
                    )
                return
            elif name in self._numbered:
                name += f"{part.number}."
            else:
                of, axes = (*of, part.number), (*axes, part.size)
                into = (*into, None) if part.number is None else into
        yield Piece(name[:-1], into, of), axes


def numbered(names: Collection[str]) -> set[str]:
    """The beginnings of names behind which a number stands: `h.` of `h.0.up.kernel`."""
    return {
        name[:at]
        for name in names
        for at, letter in enumerate(name)
        if letter.isdigit() and name[at - 1 : at] in (".", "")
    }


def _lists(leaves: Mapping[str, Leaf]) -> dict[str, int]:
    """How many copies lie in each list, by what stands before their numbers."""
    counts: dict[str, int] = {}
    for path in leaves:
        before = ""
        for part in path.split("."):
            if part.isdigit():
                counts[before] = max(counts.get(before, 0), int(part) + 1)
            before += f"{part}."
    return counts


def _parts(path: str, leaf: Leaf, lists: Mapping[str, int]) -> list[str | _Copy]:
    """A path as its names and the places where copies lie."""
    names = path.split(".")
    cuts = [len(names) - below for below in leaf.below]
    parts: list[str | _Copy] = []
    before = ""
    for at, name in enumerate(names):
        parts += [
            _Copy(None, count)
            for count, cut in zip(leaf.stack, cuts, strict=True)
            if cut == at
        ]
        parts.append(_Copy(int(name), lists[before]) if name.isdigit() else name)
        before += f"{name}."
    return parts
