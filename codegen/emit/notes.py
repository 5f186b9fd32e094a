"""What is known of locals while a function is written: what they continue, names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

PLAIN = ("x", "y", "z")
"""Names of values of which nothing is known."""


class Kind(Enum):
    """How a value continues another."""

    OP = "changes it"
    PARAM = "makes features of it"
    JOIN = "adds to it"
    CALL = "is what a function makes of it"
    LOOP = "is what a loop makes of it"
    OUTPUT = "is returned by its name"


@dataclass(frozen=True, slots=True)
class Edge:
    """A value that another continues; `formal` is what an op or function calls it."""

    local: str
    kind: Kind
    formal: str | None = None
    direct: bool = False
    """True where it continues nothing that has no line of its own."""

    @property
    def once(self) -> bool:
        """True where it continues only what nothing else read: else it is a branch."""
        return self.kind in (Kind.OP, Kind.PARAM, Kind.CALL)

    def fits(self, name: str, *, is_argument: bool) -> bool:
        """True where it may go on under this name."""
        match self.kind:
            case Kind.CALL | Kind.OUTPUT:
                return name == self.formal
            case Kind.PARAM | Kind.LOOP:
                return name == self.formal or not is_argument
        return True


@dataclass(slots=True)
class Note:
    """Of a local: what it continues, and names for it, the best one first."""

    edges: list[Edge] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    plain: bool = False
    """True of an array, which may have a name of `PLAIN`, or one of an argument."""


@dataclass(frozen=True)
class Facts:
    """Of a function that is written: which input an output continues, and its local."""

    onward: Mapping[str, str]
    returned: Mapping[str, str]
