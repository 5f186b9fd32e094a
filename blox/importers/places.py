"""Names in the paths of Params: each is that of one path of the source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from blox.schema.names import name_of

from .regions import identifier
from .trace import Path


@dataclass
class Places:
    """Whose the names are, by their path in Params."""

    owners: dict[tuple[str, ...], Any] = field(default_factory=dict)

    def below(
        self, prefix: tuple[str, ...], scope: Path, path: Path
    ) -> tuple[str, ...]:
        """A path of the source as names below a function's: `("layers", 0, "w")` is
        `layers_0.w`.

        Args:
            prefix: where the arrays of the function lie.
            scope: the path of the source that this is.
        """
        names: list[str] = []
        for place in range(len(scope), len(path)):
            part, wanted = path[place], ""
            if names and str(part).isdigit():
                wanted = f"{names.pop()}_{part}"
            outer = (*prefix, *names)
            name = name_of(wanted or identifier(part))
            names.append(self.free(outer, name, path[: place + 1]))
        return tuple(names)

    def free(self, prefix: tuple[str, ...], wanted: str, owner: Any) -> str:
        """The name below a path, or one like it that is of nothing else."""
        name, count = wanted, 1
        while self.owners.setdefault((*prefix, name), owner) != owner:
            count += 1
            name = f"{wanted}_{count}"
        return name
