"""The declaration of a function that a node runs: where its arrays lie, what it gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Layout = Literal["one", "stacked", "listed", "shared"]
Returns = Literal[
    "anything", "the carry", "only the carry", "the elements", "one value", "the same"
]
Group = Literal["inputs", "carry", "xs", "index"]


@dataclass(frozen=True, slots=True)
class Callee:
    """One function that a node runs.

    Whatever walks a Graph (references, leaves, limits, loader, generator, summary) asks
    this declaration, so that a new control op is its spec class and what runs it.
    """

    field: str
    """Where the node names it, as a path of the file: `function`, `else`, `branches.0`."""
    function: str
    role: str | None = None
    """The part of the parameter path below the node's scope; None for the scope itself."""
    copies: int | str | None = None
    """How many copies of it there are: None for one that all runs share."""
    layout: Layout = "one"
    """How the arrays of copies lie: `stacked` on a leading axis, `listed`, or as one set
    that all copies have, `shared`."""
    runs: int | str | None = 1
    """How often a run of the node visits it, where that is known."""
    takes: tuple[Group, ...] = ("inputs",)
    """The fields of the node that give it arguments."""
    index: str | None = None
    """The input that gets the number of the copy or step, where `takes` has `index`."""
    pairs: Mapping[str, str] | None = None
    """By name in `xs`: the input that gets a second element, where it takes two."""
    traced: int = 1
    """How often a trace of a call of the node visits it, at most."""
    returns: Returns = "anything"
    """What it must return; `the same` means the outputs of the node's last callee."""
    chooses: bool = False
    """True where it takes what it names of the arguments, some of which it alone may
    name; else all functions of the node have the same inputs."""
    literals: bool = False
    """True where xs may be a list of numbers, one a copy."""
    listed: tuple[str, ...] = ()
    """The outputs that the node gives as lists, of an array for each copy."""
    hands_on: bool = False
    """True where outputs of the function that are lists are lists of the node."""
    keeps_state: bool = True
    """False where what it updates would be lost, or be another for each run."""
    instead: str = ""
    """What to do in place of updating state there."""

    @property
    def unrolled(self) -> bool:
        """True where each copy is a call of its own."""
        return self.layout in ("listed", "shared")

    @property
    def empty(self) -> bool:
        """True where there are no copies: nothing runs, and there are no arrays."""
        return self.copies == 0
