"""A node of an included function: what it was read as, and how it is written anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from blox.schema import Op, op_class
from blox.schema.content import Function
from blox.schema.diagnostics import quote
from blox.schema.fields import is_expression
from blox.schema.ops.indexing import index_parts
from blox.schema.registry import CUSTOM

from .arguments import Each, Index, Slices
from .indexing import At
from .nodes import written
from .running import Running
from .sizes import plain
from .source import Source
from .trace import Trace
from .values import Outputs, Value, Values

_GROUPS = ("carry", "xs", "inputs", "attributes")
"""Fields of what flows into functions, by the names of their inputs and attributes."""


class Node:
    """A node of an included function before it is written.

    `node()` writes it and gives its output, or its outputs by name; `node(x=y)` does with
    another operand, attribute or parameter option, `node(inputs={**node.inputs, "x": y})`
    where it runs functions; `node.x` and `node.out_features` are those that it has.

    Args:
        source: the Graph that it comes from.
        trace: the function that it is written into.
        values: what was written before it, by reference.
        name: the node's.
        op: as it was read.
        given: its fields, as a file has them.
    """

    def __init__(
        self,
        source: Source,
        trace: Trace,
        values: Mapping[str, Any],
        name: str,
        op: Op,
        given: dict[str, Any],
    ) -> None:
        self._source, self._trace, self._values = source, trace, values
        self.name, self._op, self._given = name, op, given
        self.op: str = op.op

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._given:
            have = ", ".join(self._given) or "none"
            raise AttributeError(
                f"expected a field of {self.name} ({have}), found {name!r}"
            )
        return self._field(name)

    def operands(self) -> list[str]:
        """The names of its operands, in order; of one that runs functions `carry`, `xs` and
        `inputs`."""
        cls = op_class(self.op)
        if cls is not None and not self._has_body:
            return [name for name in cls.fields().operands if name in self._given]
        own = self._body.inputs if self._has_body else ()
        return [name for name in self._given if name in own]

    def __call__(self, **changes: Any) -> Any:
        """Writes the node; what it gives."""
        trace = self._trace
        self._check(changes)
        if self._has_body:
            return self._run_body(changes)
        if self._op.callees():
            return self._run(changes)
        fields = {n: self._field(n) for n in self._given} | changes
        if op_class(self.op) is None:
            trace.fault(
                self.name,
                f"expected an op that is registered here, found {quote(self.op)}",
                "import the package that registers it",
            )
        values = written(trace, self.name, self.op, fields)
        names = fields.get("names") or self._op.outputs()
        return values[0] if len(values) == 1 else Values(names, values)

    @property
    def _has_body(self) -> bool:
        return bool(CUSTOM.fullmatch(self.op)) and self.op in self._source.graph.ops

    @property
    def _body(self) -> Function:
        return self._source.graph.functions[self._source.graph.ops[self.op]]

    # Fields ------------------------------------------------------------------------

    def _check(self, changes: Mapping[str, Any]) -> None:
        """Refuses fields that the node can't have, and those that make it another node."""
        if self._has_body:
            may = [*self._body.inputs, *self._body.attributes, "params"]
        else:
            may = [*dict.fromkeys([*self._given, *type(self._op).model_fields])]
        fixed = {"op", *(c.field.partition(".")[0] for c in self._op.callees())}
        fixed |= {"index", "names"} if self._op.callees() else {"names"}
        known = [name for name in may if name not in fixed]
        for name in changes:
            if name not in may:
                self._trace.fault(
                    f"{self.name}.{name}",
                    f"expected a field that the node has ({', '.join(known)}), "
                    f"found {name}",
                )
            if name in fixed:
                self._trace.fault(
                    f"{self.name}.{name}",
                    f"expected another field, found {name}, which stays",
                    "write a node of your own instead of node()",
                )

    def _field(self, name: str) -> Any:
        value = self._given[name]
        cls = op_class(self.op)
        if cls is None:
            flows = self._has_body and name in self._body.inputs
            return self._operand(name, value) if flows else self._number(name, value)
        fields = cls.fields()
        if name in fields.operands or name in fields.slots:
            return self._operand(name, value)
        if name in fields.indices and isinstance(value, str):
            return At(tuple(map(_at, index_parts(value))))
        return self._number(name, value)

    def _operand(self, name: str, value: Any) -> Any:
        if isinstance(value, str) and not is_expression(value):
            return self._values[value]
        if isinstance(value, list):
            return [self._operand(name, part) for part in value]
        if isinstance(value, dict):
            return {n: self._operand(name, part) for n, part in value.items()}
        return self._number(name, value)

    def _number(self, name: str, value: Any) -> Any:
        return self._trace.number(f"{self.name}.{name}", value)

    # Nodes that run functions --------------------------------------------------------

    def _run(self, changes: dict[str, Any]) -> Any:
        op, given = self._op, self._given
        callees = op.callees()
        fields = {c.field.partition(".")[0] for c in callees}
        inputs = list(self._source.graph.functions[callees[-1].function].inputs)
        groups = {**given, **{n: v for n, v in changes.items() if n in _GROUPS}}
        arguments, carry = self._arguments(inputs, groups)
        index = callees[-1].index
        if index is not None:
            arguments[index] = Index()
        for name, other in (callees[-1].pairs or {}).items():
            arguments[other] = arguments[name]
        skipped = {*fields, *_GROUPS, "right"}
        skipped |= {"index"} if index is not None else set()
        options = {n: self._field(n) for n in given if n not in skipped}
        options |= {n: v for n, v in changes.items() if n not in skipped}
        options = {n: v for n, v in options.items() if v is not None}
        per_copy = [v for v in arguments.values() if isinstance(v, Each)]
        if per_copy:  # lists per copy have a length
            options["count"] = plain(options["count"])
        functions = {c.field: self._source.functions[c.function] for c in callees}
        running = Running(
            self._trace, self.name, self.op, dict(functions), options, carry
        )
        return _outputs(running.run((), arguments))

    def _arguments(
        self, inputs: list[str], groups: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[str]]:
        """What the functions get, by name; the names of what is carried."""
        found: dict[str, Any] = {}
        index = self._given.get("index")
        taken = {index} if isinstance(index, str) else set()
        carry: list[str] = []
        for group in ("carry", "xs", "inputs"):
            given = groups.get(group, {})
            if isinstance(given, list):
                free = [n for n in inputs if n not in taken]
                given = dict(zip(free, given, strict=False))
            taken |= set(given)
            for name, value in given.items():
                found[name] = self._argument(group, value)
            if group == "carry":
                carry = list(given)
        for name, value in groups.get("attributes", {}).items():
            number = self._number(f"attributes.{name}", value)
            found[name] = Each(tuple(number)) if isinstance(number, list) else number
        return found, carry

    def _argument(self, group: str, value: Any) -> Any:
        if isinstance(value, list):  # numbers, one a copy
            return Each(tuple(self._number(group, value)))
        given = value if isinstance(value, Value) else self._operand(group, value)
        return Slices(given) if group == "xs" and isinstance(given, Value) else given

    def _run_body(self, changes: dict[str, Any]) -> Any:
        """A node of an op that its Graph says by a function: a call of that."""
        source, function = self._source, self._body
        arguments: dict[str, Any] = {}
        for name, value in self._given.items():
            if name in function.inputs:
                arguments[name] = self._operand(name, value)
            elif name in function.attributes:
                arguments[name] = self._number(name, value)
        changes = dict(changes)
        params = changes.pop("params", self._given.get("params"))
        options = {} if params is None else {"params": params}
        running = Running(
            self._trace,
            self.name,
            "call",
            {"function": source.functions[source.graph.ops[self.op]]},
            options,
        )
        return _outputs(running.run((), arguments | changes))


def _outputs(named: Mapping[str, Value]) -> Any:
    """What a node gives: its one output, or its outputs by name."""
    values = list(named.values())
    return values[0] if len(values) == 1 else Outputs(named, values)


def _at(part: Any) -> Any:
    """A part of an index as Python has it."""
    if isinstance(part, tuple):
        return slice(*part)
    return ... if part == "..." else part
