"""Copies in a list that repeat."""

from __future__ import annotations

from collections.abc import Sequence

from ...schema.resolve.trees import Tree, flatten


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
