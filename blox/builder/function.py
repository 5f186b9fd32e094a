"""`FunctionBuilder`: what a spec function gets as its first parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blox.schema import op_class
from blox.schema.diagnostics import quote

from .control import ControlMethods
from .op_methods import OpMethods
from .values import Operand, Value, Values
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

    def op(
        self, kind: str, name: str, /, *operands: Operand | None, **fields: Any
    ) -> Any:
        """A node of an op that is no core op, registered by `bx.register`.

            y = f.op("acme:rope", "turned", x, theta=1e4)

        Args:
            kind: the name of the op.
            name: the name of the node.
            operands: in the order of the op's class.
            fields: other operands, attributes and parameter options by name.

        Returns:
            Its output, or its `Values` where there are several.

        Raises:
            SpecError: nothing of that name is registered, or the fields are wrong.
        """
        cls = op_class(kind)
        if cls is None:
            self._writer.fault(
                name,
                f"expected an op that is registered here, found {quote(kind)}",
                "import the package that registers it",
            )
        known = [*cls.fields().operands]
        if len(operands) > len(known):
            self._writer.fault(
                name, f"{kind}: expected at most {len(known)} operands by position"
            )
        given = dict(zip(known, operands, strict=False))
        if twice := given.keys() & fields.keys():
            self._writer.fault(name, f"{kind}: {min(twice)} is given twice")
        values = self._writer.node(name, kind, given | fields)
        several = len(cls.OUTPUTS) > 1 or "names" in cls.model_fields
        return (
            Values(fields.get("names", cls.OUTPUTS), values) if several else values[0]
        )

    def _node(self, name: str, kind: str, /, **fields: Any) -> tuple[Value, ...]:
        return self._writer.node(name, kind, fields)
