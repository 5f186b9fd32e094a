"""Functions of a Graph, each written from the calls that it stands for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from blox.schema import op_class
from blox.schema.names import is_name

from .absent import fold_absent
from .array_methods import At
from .declarations import described
from .fields import mapped, named_functions, takes_expressions
from .groups import Group, callees_first, doc_of, grouped, ordered, rooted, stays
from .naming import named
from .outputs import SINGLE
from .sizes import Dim, tree_of_number
from .trace import Node, Trace
from .trees import Symbol, Tree, is_number, replaced, symbols, text_of
from .values import Value, is_numeric


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
        trace.is_body = trace.function in bodies or trace.name in bodies
    order = ordered(entries, groups)
    for group in order:
        fold_absent(group.traces)
    named(order)
    # Callees first: what they need for attributes is known where they are called.
    texts = {
        group.name: _Writing(group, groups).function()
        for group in callees_first(entries, groups)
    }
    return {group.name: texts[group.name] for group in order}, groups


def _is_constant(roots: Sequence[Tree]) -> bool:
    """True for one number, or expression of attributes of the Graph, in all traces."""
    alike = len({text_of(r) for r in roots}) == 1
    return alike and not any(map(stays, symbols(roots[0])))


class _Writing:
    """Writes one function from the traces that it stands for."""

    def __init__(self, group: Group, groups: dict[Trace, Group]) -> None:
        self.group, self.groups = group, groups
        self.traces = group.traces
        self.first = group.first
        self.is_entry = self.first.parent is None
        self.shapes: dict[str, dict[int, str]] = {}
        """The names of dims that the nodes speak of, by input and axis."""
        self.taken = {*self.first.session.attribute_symbols, *self.first.inputs}
        self.taken |= {name for trace in self.traces for name in trace.dims}

    def function(self) -> dict[str, Any]:
        nodes = {name: self._node(name) for name in self.first.nodes}
        return {
            "doc": doc_of(self.first.function),
            "attributes": self._attributes(),
            "inputs": self._inputs(),
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
        return {
            name: described(trace, name, value.reference)
            for name, value in trace.outputs.items()
        }

    def _inputs(self) -> dict[str, Any]:
        names: dict[str, Value] = {}
        for trace in self.traces:
            names |= {n: v for n, v in trace.inputs.items() if n not in names}
        parameters = list(inspect.signature(self.first.function).parameters)

        def place(name: str) -> int:
            stems = [i for i, p in enumerate(parameters) if name == p]
            return stems[0] if stems else len(parameters)

        found = {}
        for name in sorted(names, key=place):
            given = dict(self.first.declared.get(name, {}))
            value = names[name]
            if name in self.shapes and not self.is_entry:
                rank = len(value.sizes or ())
                own = self.shapes[name]
                given["shape"] = [own.get(axis, "_") for axis in range(rank)]
            if value.kind == "key":
                given["dtype"] = "key"
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
                data[field_name] = self._field(values, field_name)
            else:
                data[field_name] = mapped(given, _literal)
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
                values.append(self._number(each, name))
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

    # Numbers --------------------------------------------------------------------------

    def _field(self, values: Sequence[Any], name: str) -> Any:
        """A field that is alike but for numbers."""
        first = values[0]
        if isinstance(first, Value):
            return first.reference
        if isinstance(first, At):
            numbers = [list(_in_index(value)) for value in values]
            texts = iter([self._slot(n, "at") for n in zip(*numbers, strict=True)])
            return mapped(first, lambda _: next(texts))
        if isinstance(first, Dim) or is_numeric(first):
            return self._slot(values, name)
        if isinstance(first, (list, tuple)):
            return [self._field(parts, name) for parts in zip(*values, strict=True)]
        if isinstance(first, dict):
            return {k: self._field([v[k] for v in values], k) for k in first}
        return first

    def _slot(self, numbers: Sequence[Any], name: str) -> Any:
        if isinstance(numbers[0], Dim):
            return f"${text_of(numbers[0].tree, self._dim)}"
        return self._number([tree_of_number(n) for n in numbers], name)

    def _number(self, trees: Sequence[Tree], name: str) -> Any:
        """A number that is one of these in the traces, in turn."""
        roots = [rooted(t, trace) for t, trace in zip(trees, self.traces, strict=True)]
        if _is_constant(roots):
            return _text(roots[0])
        if len({text_of(t) for t in trees}) == 1:
            return self._of_arguments(trees[0])
        bound = [
            replaced(t, trace.bindings)
            for t, trace in zip(trees, self.traces, strict=True)
        ]
        return f"${self._attribute(name, bound)}"

    def _of_arguments(self, tree: Tree) -> Any:
        """An expression of arguments, with an attribute for each that differs."""
        by: dict[Symbol, Tree] = {}
        for symbol in symbols(tree):
            if symbol.trace is None:
                continue
            bound = [self._bound(trace, symbol.name) for trace in self.traces]
            roots = [
                rooted(b, trace.parent)
                for b, trace in zip(bound, self.traces, strict=True)
            ]
            if _is_constant(roots) and not stays(symbol):
                by[symbol] = roots[0]
            else:
                by[symbol] = Symbol(self._attribute(symbol.name, bound), symbol.value)
        return _text(replaced(tree, by))

    def _bound(self, trace: Trace, name: str) -> Tree:
        return next(
            b for s, b in trace.bindings.items() if s.name == name and not s.is_dim
        )

    def _attribute(self, wanted: str, trees: list[Tree]) -> str:
        """An attribute of the function that is this in the caller's words."""
        texts = [text_of(t) for t in trees]
        own = self.group.attributes
        for name, others in own.items():
            if [text_of(t) for t in others] == texts:
                return name
        name, count = wanted, 1
        while name in own or name in self.taken or not is_name(name):
            count += 1
            name = f"{wanted}_{count}"
        own[name] = trees
        return name

    def _dim(self, symbol: Symbol) -> str:
        """The name of a dim, declared where it is one of an input's shape."""
        if symbol.at is None or self.is_entry:
            return symbol.name
        name, axis = symbol.at
        self.shapes.setdefault(name, {})[axis] = symbol.name
        return symbol.name


def _in_index(at: At) -> Iterator[Any]:
    found: list[Any] = []

    def keep(number: Any) -> str:
        found.append(number)
        return "0"

    mapped(at, keep)
    yield from found


def _literal(number: Any) -> Any:
    return tree_of_number(number) if is_number(tree_of_number(number)) else number + 0


def _text(tree: Tree) -> Any:
    return tree if is_number(tree) else f"${text_of(tree)}"
