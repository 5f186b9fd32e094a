"""Copies in the tree of a model: those in lists that repeat, those on axes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ...schema.parameters import Leaf
from ...schema.resolve.trees import Tree, flatten
from .sized import Sizes, written

Counts = tuple[int, ...]
"""How many copies lie on the axes that arrays get at a place."""


def period(copies: Sequence[Tree]) -> int:
    """After how many copies they repeat: 1 where all are alike."""
    known: dict[int, object] = {}
    for copy in copies:
        if id(copy) not in known:
            known[id(copy)] = tuple(
                (path, leaf.full_shape, leaf.dtype, repr(leaf.init), leaf.below)
                for path, leaf in flatten(copy)
            )
    kinds: dict[object, int] = {}
    row = [kinds.setdefault(known[id(copy)], len(kinds)) for copy in copies]
    # The failure function of Knuth, Morris and Pratt.
    border = [0] * len(row)
    length = 0
    for i in range(1, len(row)):
        while length and row[i] != row[length]:
            length = border[length - 1]
        length += row[i] == row[length]
        border[i] = length
    return len(row) - (border[-1] if row else 0)


def parts_of(tree: Tree, sizes: Sizes | None) -> Iterator[tuple[Tree, Sizes | None]]:
    """What lies in a tree, with its sizes; of copies that repeat, the first."""
    if isinstance(tree, dict):
        known = sizes if isinstance(sizes, dict) else {}
        for name, part in tree.items():
            yield part, known.get(name)
    elif isinstance(tree, list):
        if isinstance(sizes, dict):  # of nodes that say their numbers
            sizes = [sizes.get(str(i), {}) for i in range(len(tree))]
        copies = sizes if isinstance(sizes, list) and len(sizes) == len(tree) else None
        for i, part in enumerate(tree[: period(tree)]):
            yield part, copies[i] if copies else None


class Axes:
    """The axes that arrays get where copies lie: only there their trees are walked."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Tree, frozenset[int]]] = {}

    def at(self, tree: Tree, sizes: Sizes | None) -> dict[Counts, list[ast.expr]]:
        """The axes of copies that arrays get at the place of their tree, as written.

        Of arrays that lie below copies and beside them, both.
        """
        return _axes(tree, sizes) if 0 in self._heights(tree) else {(): []}

    def _heights(self, tree: Tree) -> frozenset[int]:
        """How far above a tree there are copies of its arrays; 0 where it lies."""
        if isinstance(tree, Leaf):
            return frozenset(tree.below)
        if id(tree) not in self._known:
            parts = [part for part, _ in parts_of(tree, None)]
            below = {n - 1 for part in parts for n in self._heights(part) if n > 0}
            self._known[id(tree)] = tree, frozenset(below)
        return self._known[id(tree)][1]


def _axes(
    tree: Tree, sizes: Sizes | None, depth: int = 0
) -> dict[Counts, list[ast.expr]]:
    """The axes of the arrays of a tree, `depth` parts of their paths above it."""
    if not isinstance(tree, Leaf):
        found: dict[Counts, list[ast.expr]] = {}
        for part, inner in parts_of(tree, sizes):
            for counts, axes in _axes(part, inner, depth + 1).items():
                found.setdefault(counts, axes)
        return found
    own = []
    given = sizes if isinstance(sizes, tuple) else ()
    behind = len(given) - len(tree.full_shape)
    for i, count in enumerate(tree.stack):
        if tree.below[i] == depth:
            known = given[behind + i] if behind + i >= 0 else count
            own.append(known if known == count else count)
    return {tuple(own): [written(size) for size in own]}


def only(
    tree: Tree, sizes: Sizes | None, counts: Counts, depth: int = 0
) -> tuple[Tree, Sizes | None]:
    """The arrays of a tree that get these axes where it lies, with their sizes."""
    if not isinstance(tree, dict):
        same = [*_axes(tree, sizes, depth)] == [counts]
        return (tree, sizes) if same else ({}, None)
    parts: dict[str, Tree] = {}
    known: dict[str, Sizes] = {}
    for name, (part, inner) in zip(tree, parts_of(tree, sizes), strict=True):
        some, own = only(part, inner, counts, depth + 1)
        if some != {}:
            parts[name] = some
        if some != {} and own is not None:
            known[name] = own
    return (tree, sizes) if parts == tree else (parts, known)
