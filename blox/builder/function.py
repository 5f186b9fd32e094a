"""`F`: what a function of a Graph gets as its first parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from blox.schema import op_class
from blox.schema.alike import ops_known_as, ops_like
from blox.schema.diagnostics import quote

from .control import ControlMethods
from .fields import needs_name
from .nodes import written
from .op_methods import OpMethods
from .recipe_names import recipes_known_as, recipes_like
from .trace import Trace
from .values import Value, Values


class FunctionBuilder(OpMethods, ControlMethods):
    """Writes one function of a Graph: a method for every op, and for calls and loops.

    A method takes operands, then attributes, and gives the node's output. Ops that keep
    parameters or state or fold a key take the node's name first; all others have a
    `name=` and are called `relu_1`, `add_2` without it. Sizes are inferred from what
    flows in, and shapes that do not fit are reported where the node is written.
    """

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def op(
        self, kind: str, /, *operands: Any, name: str | None = None, **fields: Any
    ) -> Any:
        """A node of an op that is no core op, registered by `bx.register`.

            y = f.op("acme:rope", x, theta=1e4)

        Args:
            kind: the name of the op.
            operands: in the order of the op's class; before them the node's name, where
                the op keeps parameters.
            name: the name of a node that may go without one.
            fields: other operands, attributes and parameter options by name.

        Returns:
            Its output, or its `Values` where there are several.

        Raises:
            SpecError: nothing of that name is registered, or the fields are wrong.
        """
        trace = self._trace
        cls = op_class(kind)
        if cls is None:
            near = " or ".join(map(repr, ops_like(kind)))
            trace.fault(
                name or kind,
                f"expected an op that is registered here, found {quote(kind)}",
                f"did you mean {near}?"
                if near
                else "import the package that registers it",
            )
        if needs_name(cls):
            if name is None and not (operands and isinstance(operands[0], str)):
                trace.fault(
                    kind,
                    "expected the node's name first, as its parameters lie there",
                    f'f.op({kind!r}, "name", x)',
                )
            if name is None:
                name, operands = operands[0], operands[1:]
        known = [*cls.fields().operands]
        where = name or kind
        if len(operands) > len(known):
            trace.fault(
                where,
                f"{kind}: expected at most {len(known)} operands by position, found "
                f"{len(operands)}",
                "attributes go by name",
            )
        given: dict[str, Any] = dict(zip(known, operands, strict=False))
        if twice := given.keys() & fields.keys():
            trace.fault(where, f"{kind}: {min(twice)} is given twice")
        if strange := [n for n in fields if n not in cls.model_fields]:
            have = ", ".join(n for n in cls.model_fields if n != "op")
            trace.fault(
                f"{where}.{strange[0]}",
                f"{kind}: expected one of {have}, found {strange[0]}",
            )
        values = written(trace, name, kind, given | fields)
        several = len(cls.OUTPUTS) > 1 or "names" in cls.model_fields
        return (
            Values(fields.get("names", cls.OUTPUTS), values) if several else values[0]
        )

    def _node(self, name: str | None, kind: str, /, **fields: Any) -> tuple[Value, ...]:
        return written(self._trace, name, kind, fields)

    if not TYPE_CHECKING:  # to a type checker there are no others

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(name)
            raise AttributeError(
                f"expected the name of an op, found {name!r}{_hint(name)}"
            )


def _hint(name: str) -> str:
    """What may be meant by the name of an op that is none."""
    known = ops_known_as(name)
    found = recipes_known_as(name) if known else recipes_like(name)
    recipes = [f"bx.recipes.{recipe}" for recipe in found]
    ops = [] if recipes and not known else ops_like(name)
    if meant := " or ".join([*(f"f.{op}" for op in ops), *recipes]):
        return f"; did you mean {meant}?"
    return "; bx.recipes has what takes several ops, bx.register adds your own"


F = FunctionBuilder
"""The type of a function's first parameter."""
