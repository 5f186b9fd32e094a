"""What is known of the arrays of a model before it runs: plain data, for those without JAX."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .resolve.program import Instance

Size = int | str | None
"""A number, an expression of dims as text (`2*seq`), or None where it varies."""


@dataclass(frozen=True, slots=True)
class Known:
    """What holds of an array in every call of its function: None where it varies."""

    shape: tuple[Size, ...] | None
    dtype: str | None
    copies: int | None = None
    """How many arrays a list has, each of this shape and dtype."""

    @property
    def rank(self) -> int | None:
        return None if self.shape is None else len(self.shape)


Values = dict[str, tuple[Known | None, ...]]
"""By input or node of a function: its outputs, None for absent ones."""

Table = dict[Instance, Values]
"""The values of each instance of the Program."""

Shapes = Callable[[], Table]
"""The table of a model, inferred when it is asked for."""
