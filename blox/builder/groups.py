"""Calls made functions: those of equal structure share one, numbers that differ become
its attributes.

Every call was traced by itself. Traces are grouped by what their nodes are but for
numbers; a number of a node that is the same everywhere is written as it is, one that is
the same expression of arguments as that, with an attribute for each argument, and any
other as an attribute of its own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from blox.schema import op_class

from .fields import mapped, takes_expressions
from .sizes import Dim, tree_of_number
from .trace import Node, Trace
from .trees import Symbol, Tree, is_number, replaced, text_of
from .values import Value


@dataclass(eq=False)
class Group:
    """The traces that are one function of the Graph.

    Args:
        pattern: the optional inputs that reach operands, by node and operand.
        attributes: for each attribute, what it is in the caller's words, by trace.
    """

    traces: list[Trace]
    pattern: dict[tuple[str, str], str]
    name: str = ""
    attributes: dict[str, list[Tree]] = field(default_factory=dict)

    @property
    def first(self) -> Trace:
        return self.traces[0]


def _all(entries: Sequence[Trace]) -> list[Trace]:
    """Every trace, callees before callers."""
    found: dict[Trace, None] = {}

    def visit(trace: Trace) -> None:
        if trace in found:
            return
        for callee in _callees(trace):
            visit(callee)
        found[trace] = None

    for trace in entries:
        visit(trace)
    return list(found)


def _callees(trace: Trace) -> Iterator[Trace]:
    for node in trace.nodes.values():
        for traces in node.callees.values():
            yield from traces


def grouped(entries: Sequence[Trace]) -> dict[Trace, Group]:
    groups: dict[Trace, Group] = {}
    by_key: dict[Any, list[Group]] = {}
    # Entries come first in their groups: their declarations are those of the function.
    every = _all(entries)
    fixed = set(_fixed(every))
    for trace in every:
        key = _key(trace, groups)
        if trace in fixed:
            key = (*key, tuple(_roots(trace)))
        pattern = _pattern(trace)
        found = None
        for group in by_key.setdefault(key, []):
            if _fits(trace, pattern, group):
                found = group
                break
        if found is None:
            found = Group([], {})
            by_key[key].append(found)
        found.pattern |= pattern
        place = 0 if trace.parent is None else len(found.traces)
        found.traces.insert(place, trace)
        groups[trace] = found
    for entry in entries:
        _part(groups, groups[entry])
    return groups


def _fits(trace: Trace, pattern: dict[tuple[str, str], str], group: Group) -> bool:
    """True where optional inputs of both reach the same operands."""
    if trace.parent is None and any(t.parent is None for t in group.traces):
        return False  # two entries are two functions
    for place in pattern.keys() | group.pattern.keys():
        a, b = pattern.get(place), group.pattern.get(place)
        if a is not None and b is not None and a != b:
            return False
        given = a or b
        if a is None and given not in trace.left_out:
            return False
        if b is None and any(given not in t.left_out for t in group.traces):
            return False
    return True


def _fixed(traces: Sequence[Trace]) -> Iterator[Trace]:
    """The functions of nodes that give no attributes: other numbers, another function."""
    for trace in traces:
        for node in trace.nodes.values():
            cls = op_class(node.op)
            if (
                node.callees
                and cls is not None
                and "attributes" not in cls.model_fields
            ):
                for callees in node.callees.values():
                    yield from callees


def _part(groups: dict[Trace, Group], group: Group) -> None:
    """Calls of an entry with other numbers than its own are a function of their own."""
    numbers = list(_roots(group.first))
    others = [t for t in group.traces[1:] if list(_roots(t)) != numbers]
    if others:
        group.traces = [t for t in group.traces if t not in others]
        apart = Group(others, dict(group.pattern))
        for trace in others:
            groups[trace] = apart


def _key(trace: Trace, groups: dict[Trace, Group]) -> Any:
    """What a trace is but for its numbers."""
    inputs = tuple(
        (name, value.kind, value.optional)
        for name, value in trace.inputs.items()
        if not _may_lack(trace, name)
    )
    nodes = tuple(
        (name, node.op, repr(_mask(trace, node)), _callee_key(trace, node, groups))
        for name, node in trace.nodes.items()
    )
    outputs = [(n, v.reference) for n, v in trace.outputs.items()]
    if isinstance(trace.result, Value):
        outputs = [("", trace.result.reference)]
    return trace.name, doc_of(trace.function), inputs, nodes, tuple(outputs)


def _may_lack(trace: Trace, name: str) -> bool:
    """True for an input whose parameter has the default None."""
    parameter = inspect.signature(trace.function).parameters.get(name)
    declared = trace.session.declared.get(trace.function, {}).get(name)
    default = parameter is not None and parameter.default is None
    return default or (declared is not None and declared.optional)


def _callee_key(trace: Trace, node: Node, groups: dict[Trace, Group]) -> Any:
    found = []
    for traces in node.callees.values():
        own = list(dict.fromkeys(groups[t] for t in traces))
        if len(own) > 1:
            trace.fault(
                node.name,
                f"expected copies that write the same nodes, found other ones of "
                f"{traces[0].name}",
                "call the function in a Python loop, or use two repeats",
            )
        found.append(id(own[0]))
    return tuple(found)


def _mask(trace: Trace, node: Node) -> dict[str, Any]:
    """The fields of a node with marks in place of numbers."""
    cls = op_class(node.op)
    found = {}
    for name, value in node.fields.items():
        if _is_optional_input(trace, node, name):
            continue
        free = takes_expressions(cls, name, value)
        found[name] = mapped(value, _mark if free else repr)
    return found


def _mark(number: Any) -> str:
    return "#dim" if isinstance(number, Dim) else "#number"


def _is_optional_input(trace: Trace, node: Node, name: str) -> bool:
    cls = op_class(node.op)
    mark = None if cls is None else cls.fields().operands.get(name)
    value = node.fields.get(name)
    if mark is None or not mark.optional or not isinstance(value, Value):
        return False
    return value.reference in trace.inputs and _may_lack(trace, value.reference)


def _pattern(trace: Trace) -> dict[tuple[str, str], str]:
    """The inputs that a call may leave out, by the operand that they reach."""
    return {
        (node.name, name): node.fields[name].reference
        for node in trace.nodes.values()
        for name in node.fields
        if _is_optional_input(trace, node, name)
    }


def _roots(trace: Trace) -> Iterator[str]:
    """The numbers of all nodes and of what they call, in the words of the entry."""
    for node in trace.nodes.values():
        for value in node.fields.values():
            for number in _in_field(value):
                yield text_of(rooted(tree_of_number(number), trace))
        for callees in node.callees.values():
            for callee in callees:
                yield from _roots(callee)


def _in_field(value: Any) -> Iterator[Any]:
    found: list[Any] = []

    def keep(number: Any) -> str:
        found.append(number)
        return ""

    mapped(value, keep)
    yield from (n for n in found if not isinstance(n, Dim))


def rooted(tree: Tree, trace: Trace | None) -> Tree:
    """A number in the words of the entry, or of the body of an op that it comes from."""
    while trace is not None and not is_number(tree):
        tree = replaced(tree, {s: t for s, t in trace.bindings.items() if not stays(s)})
        trace = trace.parent
    return tree


def stays(symbol: Symbol) -> bool:
    """True for an argument of the body of an op, which every node of the op gives anew."""
    trace = symbol.trace
    return trace is not None and trace.is_body and symbol.name in trace.static


def ordered(entries: Sequence[Trace], groups: dict[Trace, Group]) -> list[Group]:
    """The groups by first use, callers first."""
    found: dict[Group, None] = {}

    def visit(trace: Trace) -> None:
        group = groups[trace]
        if group in found:
            return
        found[group] = None
        for callee in _callees(group.first):
            visit(callee)

    for entry in entries:
        visit(entry)
    return list(found)


def callees_first(entries: Sequence[Trace], groups: dict[Trace, Group]) -> list[Group]:
    return list(dict.fromkeys(groups[t] for t in _all(entries)))


def doc_of(function: Callable[..., Any]) -> str:
    """The first paragraph of a function's docstring, on one line."""
    doc = inspect.getdoc(function) or ""
    return doc.partition("\n\n")[0].replace("\n", " ")
