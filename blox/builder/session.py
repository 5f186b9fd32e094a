"""What the functions of a Graph share while they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from blox.shapes.engine import Engine

from .trees import Symbol

if TYPE_CHECKING:
    from .origins import Origins
    from .trace import Trace
    from .values import Input


class Session(Protocol):
    """A Graph that is being written, as far as its functions know it."""

    attribute_symbols: dict[str, Symbol]
    declared: dict[Callable[..., Any], dict[str, Input]]
    """The declared inputs of the entries, by Python function."""

    @property
    def engine(self) -> Engine: ...

    @property
    def origins(self) -> Origins: ...

    def parameter(self, trace: Trace) -> Any:
        """What a Python function gets as its first parameter."""
