"""References of a function, bound to the inputs and nodes that they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..content import Content, Function
from ..diagnostics import Report, listing, quote
from ..fields import Operand, is_expression
from ..frozen import frozen
from ..op import Op
from .calls import Calls, Signature
from .program import Arg, Args, Groups

LISTS = (
    "a list goes to xs of a `repeat` that is not scanned, to inputs with `copies`, and to "
    "outputs"
)
_ANY = Operand("tensor or list")


@dataclass(slots=True)
class BoundNode:
    name: str
    path: str
    op: Op
    args: Args
    groups: Groups
    outputs: tuple[str, ...]


@dataclass(slots=True)
class BoundFunction:
    nodes: list[BoundNode]
    outputs: dict[str, Arg]


@dataclass(slots=True)
class _Source:
    outputs: tuple[str, ...] | None
    """None for an input, which has no parts."""
    kind: str
    optional: bool
    lists: frozenset[str] = frozenset()
    """The outputs that are lists."""
    unknown: bool = False
    """True where nobody can say what the outputs are."""


class Binder:
    """Binds one function; all faults go to the report."""

    def __init__(
        self,
        graph: Content,
        name: str,
        signatures: dict[str, Signature],
        report: Report,
    ) -> None:
        self.graph = graph
        self.name = name
        self.function: Function = graph.functions[name]
        self.report = report
        self.calls = Calls(graph, signatures, report, self._value)
        self.scope: dict[str, _Source] = {}
        self._places_of: dict[int, tuple[tuple[str, ...], dict[str, int]]] = {}

    def _places(self, outputs: tuple[str, ...]) -> dict[str, int]:
        """The place of each output, of which there may be thousands: made once."""
        known = self._places_of.get(id(outputs))
        if known is None:
            places = {name: i for i, name in enumerate(outputs)}
            known = self._places_of[id(outputs)] = (outputs, places)
        return known[1]

    def bind(self) -> BoundFunction:
        optional = False
        for name, given in self.function.inputs.items():
            path = f"{self.name}.inputs.{name}"
            kind = "key" if given.dtype == "key" else "tensor"
            if given.copies is not None:
                if kind == "key":
                    text = "expected a list of arrays, found one of keys"
                    self.report.error("reference-kind", f"{path}.copies", text)
                kind = "list"
            self.scope[name] = _Source(None, kind, given.optional)
            if optional and not given.optional:
                self.report.error(
                    "input-order",
                    path,
                    "expected optional inputs last, found this after",
                )
            optional = optional or given.optional
        nodes = [self._node(name, op) for name, op in self.function.nodes.items()]
        outputs = {}
        for name, output in self.function.outputs.items():
            path = f"{self.name}.outputs.{name}"
            where = path if output.is_bare else f"{path}.value"
            outputs[name] = self._reference(where, output.value, _ANY)
        return BoundFunction(nodes, frozen(outputs))

    def _node(self, name: str, op: Op) -> BoundNode:
        path = f"{self.name}.{name}"
        if name in self.scope and self.scope[name].outputs is None:
            self.report.error(
                "name-twice", path, "expected a new name, found that of an input"
            )
        fields = op.fields()
        args: Args = {}
        groups: Groups = {}
        for field, operand in fields.operands.items():
            value = getattr(op, field)
            where = f"{path}.{field}"
            if operand.many == "map":
                continue
            if value is None:
                if not operand.optional:
                    self.report.error(
                        "operand", where, "expected an operand, found null"
                    )
                args[field] = Arg(optional=True)
            elif operand.many == "list":
                args[field] = [
                    self._value(f"{where}.{i}", v, operand) for i, v in enumerate(value)
                ]
            else:
                args[field] = self._value(where, value, operand)
        for slot in fields.slots:
            value = getattr(op, slot)
            if value is not None:
                args[slot] = self._reference(f"{path}.{slot}", value, Operand())
        outputs = op.outputs()
        callees = op.callees()
        if callees:
            outputs = self.calls.bind(path, op, callees, groups)
        elif (
            fields.operands
            and not any(o.optional for o in fields.operands.values())
            and not any(_references(a) for a in args.values())
        ):
            self.report.error(
                "operand", path, "expected at least one reference, found literals only"
            )
        # A node that follows may refer to this one even where this one is at fault.
        self.scope[name] = _Source(
            outputs,
            op.OUTPUT_KIND,
            op.OUTPUT_KIND == "key",
            self.calls.lists(callees),
            any(c.function not in self.graph.functions for c in callees),
        )
        return BoundNode(name, path, op, args, groups, outputs)

    def _value(self, path: str, value: Any, operand: Operand) -> Arg:
        if isinstance(value, str) and not is_expression(value):
            return self._reference(path, value, operand)
        if operand.kind in ("key", "list"):
            text = f"expected a {operand.kind}, found a number"
            self.report.error("reference-kind", path, text)
        return Arg(value=value)

    def _reference(self, path: str, text: str, operand: Operand) -> Arg:
        name, _, part = text.partition(".")
        source = self.scope.get(name)
        if source is None:
            self._unknown(path, name)
            return Arg(source=name, kind=operand.kind)
        index = 0
        if source.outputs is None:
            if part:
                self.report.error(
                    "reference-output",
                    path,
                    f"expected an input, which has no parts, found {quote(text)}",
                )
        elif source.unknown:
            pass  # the call is at fault, which is reported
        elif part:
            place = self._places(source.outputs).get(part)
            if place is None:
                self.report.error(
                    "reference-output",
                    path,
                    f"expected an output of {quote(name)} "
                    f"({listing(source.outputs)}), found {quote(part)}",
                )
            else:
                index = place
        elif len(source.outputs) != 1:
            self.report.error(
                "reference-output",
                path,
                f"expected one of the outputs of {quote(name)} "
                f"({listing(source.outputs)}), found {quote(name)} alone",
                f"write {quote(name + '.' + source.outputs[0])}"
                if source.outputs
                else "it gives nothing",
            )
        kind = source.kind
        if source.lists and source.outputs is not None and index < len(source.outputs):
            kind = "list" if source.outputs[index] in source.lists else kind
        if kind not in operand.kind.split(" or "):
            self.report.error(
                "reference-kind",
                path,
                f"expected a {operand.kind}, found a {kind}",
                LISTS if kind == "list" else "",
            )
        elif source.optional and not operand.optional:
            self.report.error(
                "reference-optional",
                path,
                f"expected a value that is always there, found {quote(name)}, which "
                "may be absent",
                "give it a value by the op `default`, or pass it to an operand that is "
                "optional",
            )
        return Arg(name, index, kind=kind, optional=source.optional)

    def _unknown(self, path: str, name: str) -> None:
        if path.split(".")[1] == name:
            self.report.error(
                "reference-forward",
                path,
                f"expected an input or an earlier node, found {quote(name)}, which is "
                "this node",
            )
            return
        if name in self.function.nodes:
            self.report.error(
                "reference-forward",
                path,
                f"expected an input or an earlier node, found {quote(name)}, which "
                "comes later",
                "if a tool has sorted this file, `blox fmt --reorder` restores an "
                "order",
            )
            return
        # Hints are a kindness, and cost more than all checks together.
        known = list(self.scope)[-200:] if len(self.report.diagnostics) < 20 else []
        import difflib  # here, as a sound file needs none

        near = difflib.get_close_matches(name, known, 1)
        self.report.error(
            "reference-unknown",
            path,
            f"expected an input or an earlier node, found {quote(name)}",
            f"did you mean {quote(near[0])}?" if near else "",
        )


def _references(arg: Any) -> bool:
    if isinstance(arg, Arg):
        return arg.is_reference
    return any(_references(a) for a in arg)
