"""A part of a model as a Graph of its own, and where its arrays come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..content import Content
from ..diagnostics import SpecError

G = TypeVar("G", bound=Content)
Paths = dict[str, tuple[str, tuple[int, ...]]]
"""For each array of a part the path in the whole, and the index of the copy on leading
axes there."""


@dataclass(frozen=True, repr=False)
class Part(Generic[G]):
    """A part of a model: `graph`, and where its arrays come from.

    Args:
        graph: the part as a Graph of its own.
        paths: for each of its arrays the path in the whole, and the index of the copy
            on leading axes there: `{"attn.out.kernel": ("h.attn.out.kernel", (3,))}`.
    """

    graph: G
    paths: Paths

    def __repr__(self) -> str:
        return f"<Part {self.graph!r}, {len(self.paths)} arrays>"

    def params(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The Params of the part, of those of the whole.

        Raises:
            SpecError: an array of the part is not there.
        """
        made: dict[str, Any] = {}
        for path, (old, index) in self.paths.items():
            array: Any = params
            for name in old.split("."):
                try:
                    array = array[int(name) if isinstance(array, list) else name]
                except (KeyError, IndexError, TypeError, ValueError):
                    raise SpecError.one(
                        "params",
                        old,
                        "expected an array of the whole model, found none",
                    ) from None
            at, (*names, last) = made, path.split(".")
            for name in names:
                at = at.setdefault(name, {})
            at[last] = array[index] if index else array
        listed: dict[str, Any] = _with_lists(made)
        return listed


def _with_lists(tree: Any) -> Any:
    """Trees by number are lists: names of nodes have a letter."""
    if not isinstance(tree, dict):
        return tree
    parts = {name: _with_lists(part) for name, part in tree.items()}
    numbered = parts and all(name.isdecimal() for name in parts)
    return [parts[name] for name in sorted(parts, key=int)] if numbered else parts
