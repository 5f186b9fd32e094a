"""What a plan is made of: moves of slices, and what is left over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from blox.schema import Leaf
from blox.schema.diagnostics import Diagnostic
from blox.weights.comparing import Described as Described

from .patterns import Pattern
from .spec import Layout, Spec


class Slice(NamedTuple):
    """`arrays[name][at]`."""

    name: str
    at: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """`targets` are what `layouts` make of `sources`.

    Targets are slices of Params by path; sources are slices of arrays of theirs, or of the
    Params of another Graph.

    Attributes:
        names: what errors call it.
    """

    targets: tuple[Slice, ...]
    sources: tuple[Slice, ...]
    layouts: tuple[Layout, ...] = ()
    names: tuple[str, ...] = ()

    @classmethod
    def whole(
        cls, targets: Sequence[str], sources: Sequence[str], *layouts: Layout
    ) -> Move:
        """Whole arrays of whole arrays, by their names."""
        made, of = (tuple(map(Slice, names)) for names in (targets, sources))
        return cls(made, of, layouts, tuple(sources))

    @property
    def where(self) -> str:
        """What errors call it, in a text."""
        return ", ".join(self.names[:4])


@dataclass
class Plan:
    """What mapping does.

    Attributes:
        leaves: of the Graph, by path.
        moves: one after the other.
        expected: shape and dtype of each array of theirs that is used.
        new: names of ours that nothing becomes, by `New`, with their paths.
        faults: names of ours without a rule, layouts that don't fit.
    """

    leaves: Mapping[str, Leaf]
    moves: list[Move] = field(default_factory=list)
    expected: dict[str, Spec] = field(default_factory=dict)
    becomes: dict[str, str] = field(default_factory=dict)
    """What a name of theirs becomes: the first name of ours."""
    new: dict[str, str] = field(default_factory=dict)
    faults: list[Diagnostic] = field(default_factory=list)
    ignored: tuple[Pattern, ...] = ()

    def ignores(self, name: str) -> bool:
        """True of an array of theirs that needs no use."""
        return any(pattern.match(name) is not None for pattern in self.ignored)

    @property
    def paths(self) -> dict[str, list[Move]]:
        """The moves to each array of Params."""
        found: dict[str, list[Move]] = {}
        for move in self.moves:
            for path in dict.fromkeys(target.name for target in move.targets):
                found.setdefault(path, []).append(move)
        return found
