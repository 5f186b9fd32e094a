"""Functions of a Graph, each written from the calls that it stands for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from blox.schema import op_class

from .absent import absent_folded
from .alike import doc_of
from .declarations import described
from .fields import mapped, named_functions, takes_expressions
from .groups import Group, callees_first, grouped, ordered
from .naming import named
from .outputs import SINGLE
from .python_function import signature_of
from .sizes import tree_of_number
from .slots import Slots, literal
from .trace import Node, Trace
from .trees import Symbol, is_number
from .values import Value


def functions_of(
    entries: Sequence[Trace], bodies: Collection[Callable[..., Any] | str] = ()
) -> tuple[dict[str, Any], dict[Trace, Group]]:
    """The functions of a Graph as plain data, in the order of their first use.

    Args:
        entries: the traces of the entries.
        bodies: functions whose numbers stay attributes, though all calls give the same.
    """
    groups = grouped(entries)
    for trace in groups:
        own = trace.function in bodies or trace.name in bodies
        trace.is_body = own or trace.is_recorded
    order = ordered(entries, groups)
    named(order)
    with absent_folded(group.traces for group in order):
        # Callees first: what they need for attributes is known where they are called.
        texts = {
            group.name: _Writing(group, groups).function()
            for group in callees_first(entries, groups)
        }
    return {group.name: texts[group.name] for group in order}, groups


class _Writing:
    """Writes one function from the traces that it stands for."""

    def __init__(self, group: Group, groups: dict[Trace, Group]) -> None:
        self.group, self.groups = group, groups
        self.traces = group.traces
        self.first = group.first
        self.is_entry = self.first.parent is None
        self.slots = Slots(group)

    def function(self) -> dict[str, Any]:
        nodes = {name: self._node(name) for name in self.first.nodes}
        inputs = self._inputs()
        return {
            "doc": doc_of(self.first.function),
            "attributes": self._attributes(),
            "inputs": inputs,
            "nodes": nodes,
            "outputs": self._outputs(),
        }

    def _attributes(self) -> list[str]:
        """In the order of the arguments; those that were inferred behind them."""
        order = list(self.first.static)
        own = self.group.attributes

        def place(name: str) -> int:
            return order.index(name) if name in order else len(order)

        self.group.attributes = {name: own[name] for name in sorted(own, key=place)}
        return list(self.group.attributes)

    def _outputs(self) -> dict[str, Any]:
        better = (t for t in self.traces if SINGLE not in t.outputs)
        trace = self.first if self.is_entry else next(better, self.first)
        shapes = {
            name: self._stated([t.described[name].shape for t in self.traces])
            for name, said in trace.described.items()
            if said.shape is not None and trace.is_recorded
        }
        return {
            name: described(trace, name, value.reference, shapes.get(name))
            for name, value in trace.outputs.items()
        }

    def _stated(self, shapes: Sequence[Sequence[Any]]) -> list[Any]:
        """A shape that a function of another Graph declares, its expressions as trees."""
        return [
            self.slots.number(sizes, "size")
            if isinstance(sizes[0], tuple | Symbol)
            else sizes[0]
            for sizes in zip(*shapes, strict=True)
        ]

    def _inputs(self) -> dict[str, Any]:
        names: dict[str, Value] = {}
        for trace in self.traces:
            names |= {n: v for n, v in trace.inputs.items() if n not in names}
        parameters = list(signature_of(self.first.function).parameters)

        def place(name: str) -> int:
            stems = [i for i, p in enumerate(parameters) if name == p]
            return stems[0] if stems else len(parameters)

        found = {}
        for name in sorted(names, key=place):
            given = dict(self.first.declared.get(name, {}))
            value = names[name]
            if "shape" in given and not self.is_entry:
                given["shape"] = self._stated(
                    [t.declared[name]["shape"] for t in self.traces]
                )
            elif name in self.slots.shapes and not self.is_entry:
                rank = len(value.sizes or ())
                own = self.slots.shapes[name]
                given["shape"] = [own.get(axis, "_") for axis in range(rank)]
            if value.kind == "key":
                given["dtype"] = "key"
            if value.kind == "list" and not self.is_entry:
                every = [t.inputs.get(name, value).copies for t in self.traces]
                trees = [tree_of_number(count) for count in every]
                given["copies"] = self.slots.number(trees, f"{name}_copies")
            lacking = any(name not in t.inputs for t in self.traces)
            if value.optional or (lacking and not self.is_entry):
                given["optional"] = True
            found[name] = given
        return dict(sorted(found.items(), key=lambda p: "optional" in p[1]))

    def _node(self, name: str) -> dict[str, Any]:
        alike = [trace.nodes[name] for trace in self.traces]
        first = alike[0]
        cls = op_class(first.op)
        data: dict[str, Any] = {"op": first.op}
        fields = dict.fromkeys(f for node in alike for f in node.fields)
        for field_name in fields:
            values = [node.fields.get(field_name) for node in alike]
            given = next(v for v in values if v is not None)
            if takes_expressions(cls, field_name, given):
                values = [given if v is None else v for v in values]
                data[field_name] = self.slots.field(values, field_name)
            else:
                data[field_name] = mapped(given, literal)
        if first.callees:
            self._run(data, alike)
        return data

    def _run(self, data: dict[str, Any], alike: Sequence[Node]) -> None:
        """The functions of a node, and the attributes that they get."""
        first = alike[0]
        callees = {
            role: self.groups[traces[0]] for role, traces in first.callees.items()
        }
        data |= named_functions(list(callees), [g.name for g in callees.values()])
        listed = first.op == "repeat" and first.fields.get("scan") is False
        for role, group in callees.items():
            given = self._given(alike, role, group, listed)
            if given:
                data["attributes"] = given

    def _given(
        self, alike: Sequence[Node], role: str, group: Group, listed: bool
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, trees in group.attributes.items():
            by_trace = dict(zip(group.traces, trees, strict=True))
            copies = max(len(node.callees[role]) for node in alike)
            values = []
            for copy in range(copies):
                own = [node.callees[role] for node in alike]
                each = [by_trace[o[min(copy, len(o) - 1)]] for o in own]
                values.append(self.slots.number(each, name))
            found[name] = values[0]
            if listed and any(repr(v) != repr(values[0]) for v in values):
                found[name] = self._cycle(alike[0], values)
        return found

    def _cycle(self, node: Node, values: list[Any]) -> list[Any]:
        """Values per copy, as few as give all of them in turn."""
        count = tree_of_number(node.fields["count"])
        if not is_number(count):
            self.first.fault(
                node.name,
                "expected a number of copies where copies differ, found an expression",
                "int(count) leaves the expression behind",
            )
        values = values + [values[-1]] * (count - len(values))
        for period in range(1, len(values) + 1):
            times, rest = divmod(len(values), period)
            if not rest and values == values[:period] * times:
                return values[:period]
        return values
