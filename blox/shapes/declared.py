"""What an entry declares of its inputs' sizes, with the Graph's bounds of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from blox.schema.content import Content, Input
from blox.schema.expressions import names
from blox.schema.fields import is_expression
from blox.schema.resolve.bounds import Relation as Relation
from blox.schema.resolve.bounds import numbers_of
from blox.schema.resolve.bounds import relations_of as relations_of


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a dim as numbers. A size of 0 is not among those that are checked."""

    min: int = 1
    max: int | None = None
    multiple_of: int = 1


def bounds_of(graph: Content) -> dict[str, Bounds]:
    """The bounds of every dim that has some, as numbers."""
    found: dict[str, Bounds] = {}
    for name, given in graph.dims.items():
        numbers = numbers_of(given, graph.attributes)
        numbers["min"] = max(numbers.get("min", 1), 1)
        numbers["multiple_of"] = max(numbers.get("multiple_of", 1), 1)
        found[name] = Bounds(**numbers)
    return found


@dataclass(frozen=True)
class Declared:
    """The inputs of an entry as declared: what is open in their shapes.

    Args:
        inputs: declarations by input name.
        values: the attributes that expressions may name.
    """

    inputs: Mapping[str, Input]
    values: Mapping[str, Any]

    def dims(self, given: Iterable[str]) -> list[str]:
        """The dims that these inputs speak of, in order."""
        found: dict[str, None] = {}
        for name in given:
            for dim in self.inputs[name].shape or []:
                if not isinstance(dim, str) or dim in ("...", "_"):
                    continue
                used = names(dim) if is_expression(dim) else (dim,)
                found.update(dict.fromkeys(n for n in used if n not in self.values))
        return list(found)

    def ignored(self, given: Iterable[str]) -> list[tuple[str, int]]:
        """(input, axis) of every `_`."""
        shapes = {name: self.inputs[name].shape or [] for name in given}
        return [
            (n, i) for n, s in shapes.items() for i, dim in enumerate(s) if dim == "_"
        ]

    def leads(self, given: Iterable[str]) -> bool:
        """True where an input has any number of leading axes."""
        return any("..." in (self.inputs[name].shape or []) for name in given)

    def is_free(self, given: Iterable[str]) -> bool:
        """False if the declared shapes leave nothing open."""
        given = list(given)
        return bool(self.dims(given) or self.ignored(given) or self.leads(given))

    def given(self, *, keys: bool) -> list[str]:
        """All inputs; without `keys` all but optional keys."""
        return [
            name
            for name, spec in self.inputs.items()
            if keys or not (spec.optional and spec.dtype == "key")
        ]

    def variants(self) -> list[list[str]]:
        """All inputs, and all but the optional ones."""
        needed = [name for name, spec in self.inputs.items() if not spec.optional]
        every = list(self.inputs)
        return [every] if len(needed) == len(every) else [every, needed]
