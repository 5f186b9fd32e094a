"""Trees of leaves: joined where nodes meet, stacked by loops, flattened to paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ..frozen import frozen
from ..parameters import UPDATES, Leaf

Tree = Leaf | dict[str, "Tree"] | list["Tree"]
"""Leaves by name; a list where the copies of an unrolled repeat lie.

What a function has of the list at `layers`, by paths such as `layers.0`, lies by number: a
dict whose names are decimal. Which parts there are is known of all entries together, and
from then on it is a list (`schema.resolve.numbered`).
"""


def flatten(tree: Tree, path: str = "") -> Iterator[tuple[str, Leaf]]:
    """(path, leaf) for every leaf; the copies of a list are numbered."""
    if isinstance(tree, Leaf):
        yield path, tree
        return
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for name, part in items:
        yield from flatten(part, f"{path}.{name}" if path else str(name))


def distinct(tree: Tree, path: str = "") -> Iterator[tuple[str, Leaf]]:
    """(path, leaf) as `flatten`, of copies that are one object only the first."""
    if isinstance(tree, Leaf):
        yield path, tree
        return
    items: Iterable[tuple[str | int, Tree]]
    items = tree.items() if isinstance(tree, dict) else firsts(tree)
    for name, part in items:
        yield from distinct(part, f"{path}.{name}" if path else str(name))


def firsts(parts: list[Tree]) -> list[tuple[int, Tree]]:
    """(number, part), of parts that are one object only the first: copies are alike."""
    numbers = reversed(range(len(parts)))
    found = dict(zip(map(id, reversed(parts)), numbers, strict=True))
    return [(i, parts[i]) for i in sorted(found.values())]


def is_numbered(tree: Tree) -> bool:
    """True of parts of a list by their numbers."""
    return isinstance(tree, dict) and bool(tree) and next(iter(tree)).isdecimal()


def part_at(tree: Tree, name: str) -> Tree:
    """What lies at a name of a tree, at a number of a list."""
    if isinstance(tree, list):
        return tree[int(name)]
    assert isinstance(tree, dict)
    return tree[name]


class TreeConflict(ValueError):
    """Two nodes want different things at one path."""

    def __init__(self, path: tuple[str, ...], message: str) -> None:
        self.path = path
        super().__init__(message)


def nest(path: tuple[str, ...], tree: Tree) -> Tree:
    """`tree` at `path` of an otherwise empty tree; an empty tree leaves no trace."""
    if tree == {}:
        return {}
    for name in reversed(path):
        tree = {name: tree}
    return tree


def join(
    a: Tree, b: Tree, path: tuple[str, ...] = (), own: set[int] | None = None
) -> Tree:
    """Both trees in one; leaves that meet must agree, sizes given by one suffice.

    Neither is changed, but for the groups whose ids are in `own`: so that many joins to
    one tree copy each group once.

    Raises:
        TreeConflict: naming the path, and what the two expect there.
    """
    if a is b:
        return a
    mixed = a and b and is_numbered(a) != is_numbered(b)
    if isinstance(a, dict) and isinstance(b, dict) and not mixed:
        joined = a
        if own is None or id(a) not in own:
            joined = dict(a)
        if own is not None:
            own.add(id(joined))
        for name, part in b.items():
            old = joined.get(name)
            joined[name] = part if old is None else join(old, part, (*path, name), own)
        return joined
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [
            join(x, y, (*path, str(i)), own)
            for i, (x, y) in enumerate(zip(a, b, strict=True))
        ]
    if isinstance(a, Leaf) and isinstance(b, Leaf):
        return _join_leaves(a, b, path)
    raise TreeConflict(path, f"one node has {_kind(a)} here, another {_kind(b)}")


def _join_leaves(a: Leaf, b: Leaf, path: tuple[str, ...]) -> Leaf:
    if (a.dtype, a.kind, a.stack) != (b.dtype, b.kind, b.stack):
        raise TreeConflict(
            path,
            f"one node has a {a.dtype} {a.kind} stacked {list(a.stack)} here, another "
            f"a {b.dtype} {b.kind} stacked {list(b.stack)}",
        )
    if len(a.shape) == len(b.shape):
        pairs = list(zip(a.shape, b.shape, strict=True))
        if all(x is None or y is None or x == y for x, y in pairs):
            shape = tuple(y if x is None else x for x, y in pairs)
            updated = max(a.updated, b.updated, key=UPDATES.index)
            both = a.frozen or b.frozen
            return replace(a, shape=shape, frozen=both, updated=updated)
    raise TreeConflict(
        path, f"one node has shape {list(a.shape)} here, another {list(b.shape)}"
    )


def _kind(tree: Tree) -> str:
    if isinstance(tree, Leaf):
        return "an array"
    if is_numbered(tree):
        return "parts by number"
    return "a list of copies" if isinstance(tree, list) else "a group"


def stack(tree: Tree, count: int, below: int = 0) -> Tree:
    """`tree` with a leading axis of `count` on every leaf.

    Args:
        below: how many parts of the path lie between the repeat and `tree`.
    """
    if isinstance(tree, Leaf):
        return tree.stacked(count, below)
    if isinstance(tree, list):
        # Frozen here, where copies that are alike are still one object.
        alike = {id(p): frozen(stack(p, count, below + 1)) for _, p in firsts(tree)}
        return [alike[id(part)] for part in tree]
    return {name: stack(part, count, below + 1) for name, part in tree.items()}


def has_state(tree: Tree) -> bool:
    if isinstance(tree, Leaf):
        return tree.kind == "state"
    if isinstance(tree, list):
        return any(has_state(part) for _, part in firsts(tree))
    return any(map(has_state, tree.values()))
