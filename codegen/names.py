"""Names of locals: the graph's, with a trailing `_` where they would hide another."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field

from ..schema.content import Content

LAYER = ("layer", "p")
"""What the parameters of one copy are called."""
AMBIGUOUS = frozenset("lIO")
"""Names that look like numbers. Arguments may have them, as users may call by name."""


@dataclass
class Names:
    """The names that one function gives, of which no name of a graph ends with `_`."""

    kept: Set[str]
    """What no local may hide."""
    taken: set[str] = field(default_factory=set)
    variables: dict[str, str] = field(default_factory=dict)

    def fresh(self, text: str) -> str:
        """A name that nothing else has."""
        while text in self.kept or text in self.taken:
            text += "_"
        self.taken.add(text)
        return text

    def first_free(self, *texts: str) -> str:
        """The first of several names that nothing else has."""
        free = (t for t in texts if t not in self.kept and t not in self.taken)
        return self.fresh(next(free, texts[0]))

    def variable(self, *texts: str) -> str:
        """A variable of a `for`: one for all loops of the function."""
        if texts[0] not in self.variables:
            self.variables[texts[0]] = self.first_free(*texts)
        return self.variables[texts[0]]

    def inside(self, used: Set[str]) -> Names:
        """The names of a function within this one: they may hide all but `used`."""
        return Names({*self.kept, *used})


def names_of(graph: Content) -> set[str]:
    """The names of the user that stand in a file as they are."""
    names = {graph.name, *graph.attributes}
    for title, function in graph.functions.items():
        names |= {title, *function.inputs, *function.attributes}
    return names
