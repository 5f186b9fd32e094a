"""`FunctionBuilder`: what a spec function gets as its first parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .control import ControlMethods
from .op_methods import OpMethods
from .values import Value
from .writer import Writer


class FunctionBuilder(OpMethods, ControlMethods):
    """Writes one function of a Graph: a method for every op, and for calls and loops.

    A method takes the node's name, then operands, then attributes by keyword, and gives
    the node's output. Its sizes are inferred from what flows in, and shapes that do not
    fit are reported where the node is written.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def declare(
        self, x: Value, shape: Sequence[int | str], dtype: str | None = None
    ) -> None:
        """Declares the shape of an input, which binds the dims that it names.

            f.declare(x, ["batch", "seq", "$width"])

        After that `"$seq"` may stand in the function wherever a size may.

        Raises:
            SpecError: x is no input of the function. ModelError: it has another shape.
        """
        self._writer.declare(x, shape, dtype)

    def _node(self, name: str, kind: str, /, **fields: Any) -> tuple[Value, ...]:
        return self._writer.node(name, kind, fields)
