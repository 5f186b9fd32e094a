"""Copies in the tree of a model: those in lists that repeat, those on axes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ...schema.parameters import Leaf
from ...schema.resolve.trees import Tree, distinct, flatten
from .sized import Sizes, written


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


def axes_of(tree: Tree, sizes: Sizes | None) -> list[ast.expr]:
    """The axes of copies that all arrays of a tree get where it lies, as written."""
    path, leaf = next(distinct(tree), ("", None))
    depth = path.count(".") + 1 if path else 0
    if leaf is None or depth not in leaf.below:
        return []
    while not isinstance(tree, Leaf):
        tree, sizes = next(parts_of(tree, sizes))
    given = sizes if isinstance(sizes, tuple) else ()
    behind = len(given) - len(leaf.full_shape)
    own = []
    for i, count in enumerate(leaf.stack):
        if leaf.below[i] == depth:
            known = given[behind + i] if behind + i >= 0 else count
            own.append(known if known == count else count)
    return [written(size) for size in own]
