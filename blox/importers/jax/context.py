"""What all functions of one import share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..joined import Joined
from ..trace import Param, Path, Step, Value
from .internals import Var


class Missing(Exception):
    """An equation that no op of blox is; the text says why."""


@dataclass(eq=False)
class Context:
    """What all functions of one import share.

    Args:
        missing: what can't be expressed, by reason, module and line.
        notes: what to tell the user.
        derivatives: functions whose own derivative is lost, as `name at file:line`.
        classes: those of the known layers that are ops now.
        embedded: paths of the tables that are looked up, which may also be heads.
        tables: captured arrays, by identity, with the Param that each became.
        rng: the step that gives the key of ops which draw, once one asks for it.
    """

    missing: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    derivatives: dict[str, None] = field(default_factory=dict)
    classes: set[str] = field(default_factory=set)
    embedded: set[Path] = field(default_factory=set)
    tables: dict[int, tuple[Any, Param]] = field(default_factory=dict)
    values: dict[Path, Any] = field(default_factory=dict)
    """The arrays of `tables`, by the path that they got."""
    layers: dict[tuple[Path, str], Path] = field(default_factory=dict)
    """The array that each slot of a layer is, by the path of the layer and the slot."""
    joined: dict[Path, Joined] = field(default_factory=dict)
    """The arrays that are several of the source, by the paths that they got."""
    rng: Step | None = None
    whole: set[Path] = field(default_factory=set)
    """Stacked arrays that are used as a whole too, and so are those of no `repeat`."""

    updated: dict[Var, Path] = field(default_factory=dict)
    """The arrays whose next values variables are."""
    assigned: set[Path] = field(default_factory=set)
    """Those of them that layers of a `repeat` update."""

    def note(self, text: str) -> None:
        """Tells the user something, once."""
        if text not in self.notes:
            self.notes.append(text)

    def key(self) -> Value:
        """The key of the Graph's own `rng`, whose state begins with that of seed 0."""
        if self.rng is None:
            begin = {"key_data": np.zeros(2, "uint32"), "count": np.zeros((), "uint32")}
            scope: Path = ("rng",)
            slots: dict[str, Value] = {}
            for name, array in begin.items():
                path = (*scope, name)
                slots[name] = Param(array.shape, "uint32", name, path, "state")
                self.values[path] = array
            made = Value((), "key", "rng")
            self.rng = Step("rng", {}, {}, [made], (), slots, scope, hint="rng")
        return self.rng.outputs[0]

    def table(self, array: Any, hint: str) -> Param:
        """A captured array as a buffer of the Graph."""
        if id(array) not in self.tables:
            path: Path = (f"table_{len(self.tables)}",)
            found = np.asarray(array)
            made = Param(found.shape, str(found.dtype), hint, path, "buffer")
            self.tables[id(array)] = array, made
            self.values[path] = found
        return self.tables[id(array)][1]
