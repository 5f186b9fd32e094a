"""Parameters: what an array of the model is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from .dtypes import INEXACT

Kind = Literal["param", "buffer", "state"]
Updated = Literal["never", "training", "always"]
UPDATES: tuple[Updated, ...] = ("never", "training", "always")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One array of Params.

    `shape` is that of one copy; `stack` holds the counts of the scanned repeats and
    maps around it, outermost first, which come as leading axes. A size that a node
    doesn't know (a tied head) is None until the specs that meet at the path are joined.
    """

    shape: tuple[Any, ...]
    init: Any
    axes: tuple[str | None, ...] = ()
    dtype: str = "float"
    kind: Kind = "param"
    updated: Updated = "training"
    """Which calls change it, where it is state."""
    frozen: bool = False
    stack: tuple[int, ...] = ()
    below: tuple[int, ...] = ()
    """Per count of `stack`: how many parts of the path lie below that repeat."""

    @property
    def full_shape(self) -> tuple[int, ...]:
        return self.stack + self.shape

    @property
    def trainable(self) -> bool:
        return self.kind == "param" and not self.frozen and self.dtype in INEXACT

    @property
    def changes(self) -> bool:
        """True of state that some calls change."""
        return self.kind == "state" and self.updated != "never"

    def stacked(self, count: int, below: int) -> Leaf:
        return replace(self, stack=(count, *self.stack), below=(below, *self.below))
