"""Names of locals: the graph's, with a trailing `_` where they would hide another."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field

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

    def variable(self, text: str) -> str:
        """A variable of a `for`: one for all loops of the function."""
        if text not in self.variables:
            self.variables[text] = self.fresh(text)
        return self.variables[text]

    def inside(self, used: Set[str]) -> Names:
        """The names of a function within this one: they may hide all but `used`."""
        return Names({*self.kept, *used})
