"""What operations make of arrays: copies chosen, joined and split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp


@dataclass(frozen=True)
class Copies:
    """Copies on an axis: some of those that there were, and new ones.

    Args:
        axis: that they lie on.
        chosen: the number of an old copy, or None for the new one at this place.
    """

    axis: int
    chosen: tuple[int | None, ...]

    def forward(self, arrays: Sequence[Any]) -> list[Any]:
        """[old] -> [chosen], [old, new of the chosen size] where some are new."""
        old = arrays[0]
        taken = [0 if i is None else i for i in self.chosen]
        made = jnp.take(old, jnp.asarray(taken, "int32"), axis=self.axis)
        if len(arrays) == 1:
            return [made]
        is_new = jnp.asarray([i is None for i in self.chosen])
        shape = [1] * made.ndim
        shape[self.axis] = len(taken)
        return [jnp.where(is_new.reshape(shape), arrays[1], made)]

    def __str__(self) -> str:
        names = ["new" if i is None else str(i) for i in self.chosen]
        if len(names) > 8:
            names = [*names[:7], f"and {len(names) - 7} more"]
        return f"copies {', '.join(names)}"


@dataclass(frozen=True)
class Picked:
    """Copies of arrays one after another: of a list on an axis, or of an axis in a list.

    Args:
        parts: for each copy the number of its array and the index in it.
        stack: the leading axes on which they come to lie.
    """

    parts: tuple[tuple[int, tuple[int, ...]], ...]
    stack: tuple[int, ...]

    def forward(self, arrays: Sequence[Any]) -> list[Any]:
        """The arrays that the copies are in -> [the copies on leading axes]."""
        made = [jnp.asarray(arrays[number])[index] for number, index in self.parts]
        if not self.stack:
            return made
        stacked = jnp.stack(made)
        return [stacked.reshape(*self.stack, *stacked.shape[1:])]

    def __str__(self) -> str:
        if not self.stack:
            ((_, index),) = self.parts
            return f"copy {', '.join(map(str, index))}"
        return "stacked"
