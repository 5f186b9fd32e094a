"""Copies on leading axes: what lies below a scanned repeat, or a map, is stacked alike."""

from __future__ import annotations

from collections.abc import Iterator

from ..diagnostics import Report
from ..parameters import Leaf
from .trees import Tree, distinct, firsts

Counts = tuple[int, ...]
Stacks = frozenset[tuple[tuple[int, int], ...]]
"""Of leaves below a part of a tree: how many parts above it copies lie, and their count."""


def check_stacks(tree: Tree, report: Report) -> None:
    """All arrays below the path of copies are theirs: a loop takes its slices of all."""
    conflicts: list[tuple[str, Tree]] = []
    _stacks(tree, "", {}, conflicts)
    for path, part in conflicts:
        found = dict(reversed([*_counted(part, path)]))
        (most, one), (other, two) = sorted(found.items(), reverse=True)[:2]
        report.error(
            "parameter-conflict",
            two,
            f"expected the copies {list(most)} of {path}, as {one} has them, as all below "
            f"a path of copies is theirs; found {_said(other)}",
            'give it another path by "params"',
        )


def _stacks(
    part: Tree, path: str, made: dict[int, Stacks], conflicts: list[tuple[str, Tree]]
) -> Stacks:
    """The copies above a part; adds where not all below it have the same."""
    if isinstance(part, Leaf):
        return frozenset({tuple(zip(part.below, part.stack, strict=True))})
    if id(part) not in made:
        items = part.items() if isinstance(part, dict) else firsts(part)
        below = frozenset[tuple[tuple[int, int], ...]]().union(
            *(
                _stacks(inner, f"{path}.{name}" if path else str(name), made, conflicts)
                for name, inner in items
            )
        )
        seen = {tuple((up - 1, count) for up, count in stack) for stack in below}
        if len({tuple(c for up, c in stack if not up) for stack in seen}) > 1:
            conflicts.append((path, part))
        made[id(part)] = frozenset(tuple(s for s in stack if s[0]) for stack in seen)
    return made[id(part)]


def _counted(part: Tree, path: str) -> Iterator[tuple[Counts, str]]:
    """The copies that leaves below a path have of it, and the leaf."""
    for name, leaf in distinct(part):
        parts = name.count(".") + 1
        pairs = zip(leaf.below, leaf.stack, strict=True)
        yield tuple(c for below, c in pairs if below == parts), f"{path}.{name}"


def _said(counts: Counts) -> str:
    return str(list(counts)) if counts else "an array without copies"
