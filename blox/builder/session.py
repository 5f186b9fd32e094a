"""What the functions of a Graph share while they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from .lanes import Lanes
from .records import Record
from .values import Flow, Input

R = TypeVar("R")
Leaves = dict[tuple[str, ...], tuple[tuple[Any, ...], str]]
"""Shape and dtype of the arrays that nodes so far keep at a path."""


@dataclass(frozen=True, slots=True)
class Traced(Generic[R]):
    """What a call of a function gives: flows by output name, and its arrays."""

    record: Record
    outputs: dict[str, Flow]
    leaves: Leaves
    result: R
    """What the Python function returned: a value, a dict or a named tuple of values."""


class Session(Protocol):
    """A Graph that is being written, as far as its functions know it."""

    inputs: dict[str, dict[str, Input]]
    """The declared inputs of the entries."""
    records: dict[str, Record]
    traced: dict[Any, Traced[Any]]
    active: list[str]
    """The functions that are being traced, callers first."""
    leaves: Leaves
    """What the entries so far keep at a path."""

    @property
    def attributes(self) -> Mapping[str, int | float]: ...

    @property
    def lanes(self) -> Lanes: ...

    def parameter(self, writer: Any) -> Any:
        """What a Python function gets as its first parameter, for a Writer."""
