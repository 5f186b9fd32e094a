"""What the functions of a Graph share while they are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from blox.shapes.op_engine import OpEngine
from blox.shapes.values import Value as Known

from .trees import Symbol
from .values import Input


class Session(Protocol):
    """A Graph that is being written, as far as its functions know it."""

    name: str
    attribute_symbols: dict[str, Symbol]
    declared: dict[Callable[..., Any], dict[str, Input]]
    """The declared inputs of the entries, by Python function."""

    @property
    def engine(self) -> OpEngine: ...

    def parameter(self, trace: Any) -> Any:
        """What a Python function gets as its first parameter, for its Trace."""

    def sizes(self, node: Any, outputs: Sequence[Known | None]) -> list[Any]:
        """The sizes of the outputs of a `Written` node, with their expressions."""
        ...
