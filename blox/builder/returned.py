"""What a node that runs functions gives: their outputs, in the caller's words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from blox.shapes.values import Value as Known

from .sizes import Dim, numbered, plain, tree_of_number
from .trace import Trace
from .trees import Tree, replaced, value_of
from .values import Value


@dataclass(frozen=True, slots=True)
class Given:
    """A node whose functions have run.

    Args:
        axis: along which outputs are stacked.
        count: how many steps there are, None where xs tell.
        listed: the outputs that come as lists, of one array for each step.
    """

    trace: Trace
    node: str
    axis: Any
    count: Any
    listed: Collection[str] = ()

    def values(
        self, child: Trace, names: Sequence[str], outputs: Sequence[Known]
    ) -> tuple[Value, ...]:
        """The outputs of the node.

        Args:
            child: the last run of the function that gives them.
            names: of the outputs.
            outputs: what the engine says of them.
        """
        made = []
        inner = list(child.outputs.values())
        for name, value, known in zip(names, inner, outputs, strict=True):
            reference = self.node if len(names) == 1 else f"{self.node}.{name}"
            if value.kind == "key":
                made.append(Value(reference, self.trace, known, (), "key", True))
                continue
            sizes = self._sizes(child, value, known)
            copies = self.count if name in self.listed else None
            if value.kind == "list":
                copies = numbered(plain(value.copies), outside(child, value.copies))
            kind: Literal["tensor", "list"] = "tensor" if copies is None else "list"
            made.append(Value(reference, self.trace, known, sizes, kind, copies=copies))
        return tuple(made)

    def _sizes(
        self, child: Trace, value: Value, known: Known
    ) -> tuple[Any, ...] | None:
        if known.shape is None:
            return None
        inner = [outside(child, size) for size in value.sizes or ()]
        if len(inner) + 1 == len(known.shape):  # stacked
            at = self.axis % len(known.shape) if type(self.axis) is int else 0
            inner.insert(at, tree_of_number(self.count))
        if len(inner) != len(known.shape):
            inner = [None] * len(known.shape)
        sizes: list[Any] = []
        for tree, size in zip(inner, known.shape, strict=True):
            if type(size) is not int:
                sizes.append(self.trace.dim(size))
            else:
                same = tree is not None and value_of(tree) == size
                sizes.append(numbered(size, tree) if same else size)
        return tuple(sizes)


def name_outputs(child: Trace, names: Sequence[str]) -> None:
    child.outputs = dict(zip(names, child.outputs.values(), strict=True))


def carried_sizes(child: Trace, carry: Iterable[str]) -> dict[str, list[Any]]:
    """The sizes that a copy gives to the next one, in the caller's words.

    Args:
        carry: the names of the outputs that the next one gets.
    """
    found: dict[str, list[Any]] = {}
    for name in carry:
        found[name] = []
        for size in child.outputs[name].sizes or ():
            tree = outside(child, size)
            known = size.size if isinstance(size, Dim) else plain(size)
            found[name].append(known if tree is None else numbered(known, tree))
    return found


def outside(child: Trace, size: Any) -> Tree:
    """A size of a function in the caller's words; None for dims, which JAX knows."""
    if isinstance(size, Dim):
        return None
    return replaced(tree_of_number(size), child.bindings)
