"""Functions where they are called: what lies at a path knows the sizes of all its arrays.

A node may leave a size open that another node at its path gives, in whichever function
that stands. So an instance alone has arrays of unknown sizes, a place has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from blox.schema.parameters import Leaf
from blox.schema.resolve.program import Instance, Step
from blox.schema.resolve.trees import Tree, part_at

Sizes = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, eq=False, slots=True)
class Place:
    """An instance with the arrays of a path that it is called at.

    `tree` is that of the instance, its sizes complete. Places whose sizes are the same are
    one object.
    """

    instance: Instance
    tree: dict[str, Tree]


class Places:
    """The places of a Program, each once."""

    def __init__(self) -> None:
        self._made: dict[tuple[Instance, Sizes], Place] = {}
        self._open: dict[int, bool] = {}

    def at(self, instance: Instance, around: Tree) -> Place:
        """An instance at a path of the Program.

        Args:
            around: what lies at this path, of this instance and of all others that have
                arrays there.
        """
        own: Any = instance.tree
        sizes: Sizes = ()
        if self._is_open(own):
            sizes = tuple(self._sizes(own, around))
        key = (instance, sizes)
        if key not in self._made:
            tree = _filled(own, around) if sizes else own
            self._made[key] = Place(instance, tree)
        return self._made[key]

    def callees(self, place: Place, step: Step) -> list[Place]:
        """The functions that a step runs, one for each call of its own."""
        there = inside(place.tree, step.scope)
        found = []
        for called in step.callees:
            role = called.declared.role
            around = there if role is None else inside(there, (role,))
            for i, instance in enumerate(called.calls):
                part = around[i] if isinstance(around, list) else around
                found.append(self.at(instance, part))
        return found

    def _is_open(self, tree: Tree) -> bool:
        """True where a size is left open; trees of a Program stay, so by identity."""
        if isinstance(tree, Leaf):
            return None in tree.shape
        found = self._open.get(id(tree))
        if found is None:
            found = self._open[id(tree)] = any(map(self._is_open, _parts(tree)))
        return found

    def _sizes(self, own: Any, around: Any) -> Iterator[tuple[Any, ...]]:
        """The shapes, of one copy, of the arrays that are open, in order."""
        if not self._is_open(own):
            return
        if isinstance(own, Leaf):
            yield around.shape
            return
        for key in own if isinstance(own, dict) else map(str, range(len(own))):
            yield from self._sizes(part_at(own, key), part_at(around, key))


def inside(tree: Tree, path: tuple[str, ...]) -> Tree:
    """What lies at a path of a tree; nothing where there are no arrays."""
    for name in path:
        assert isinstance(tree, dict)
        tree = tree.get(name, {})
    return tree


def _parts(tree: dict[str, Tree] | list[Tree]) -> Iterable[Tree]:
    return tree.values() if isinstance(tree, dict) else tree


def _filled(own: Any, around: Any) -> Any:
    """A tree with the sizes of what lies around it; stacked as it was."""
    if isinstance(own, Leaf):
        return replace(own, shape=around.shape)
    if isinstance(own, dict):
        return {n: _filled(part, part_at(around, n)) for n, part in own.items()}
    return [_filled(a, b) for a, b in zip(own, around, strict=True)]
