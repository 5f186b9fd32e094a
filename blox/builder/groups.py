"""Calls made functions: those of equal structure share one, numbers that differ become
its attributes.

Every call was traced by itself. Traces are grouped by what their nodes are but for
numbers; a number of a node that is the same everywhere is written as it is, one that is
the same expression of arguments as that, with an attribute for each argument, and any
other as an attribute of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from blox.schema import op_class
from blox.shapes.binding import bound

from .alike import in_field, is_optional_input, key_of
from .sizes import tree_of_number
from .trace import Trace
from .trees import (
    Symbol,
    Tree,
    is_number,
    replaced,
    text_of,
    without_dims,
)


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
    # Entries come first in their groups: their declarations are those of the function.
    every = _all(entries)
    fixed = set(_fixed(every))
    own = {trace.function: trace for trace in entries}
    for level in _levels(every):
        by_key: dict[Any, list[Trace]] = {}
        for trace in level:
            key = key_of(trace, groups)
            if trace.function in own:
                key = (*key, _is_as(trace, own[trace.function]))
            by_key.setdefault(key, []).append(trace)
        for alike in by_key.values():
            for traces in _of_one_group(alike, fixed):
                groups |= _fitting(traces)
    return groups


def _levels(traces: Sequence[Trace]) -> list[list[Trace]]:
    """Traces, callees first, by how many calls lie below each other in them."""
    height: dict[Trace, int] = {}
    levels: list[list[Trace]] = []
    for trace in traces:
        below = [height[callee] for callee in _callees(trace)]
        height[trace] = max(below, default=-1) + 1
        levels += [[] for _ in range(height[trace] - len(levels) + 1)]
        levels[height[trace]].append(trace)
    return levels


def _of_one_group(alike: Sequence[Trace], fixed: set[Trace]) -> list[list[Trace]]:
    """Traces of the same nodes; those of `fixed` with the same numbers and outputs."""
    if fixed.isdisjoint(alike):
        return [list(alike)]
    whole = {trace: (*trace.outputs, None, *_roots(trace)) for trace in alike}
    if len(set(whole.values())) == 1:
        return [list(alike)]
    found: dict[Any, list[Trace]] = {}
    for trace in alike:
        found.setdefault(whole[trace] if trace in fixed else None, []).append(trace)
    return list(found.values())


def _fitting(alike: Sequence[Trace]) -> dict[Trace, Group]:
    """Groups of traces whose optional inputs reach the same operands."""
    found: list[Group] = []
    groups: dict[Trace, Group] = {}
    for trace in alike:
        pattern = _pattern(trace)
        group = next((g for g in found if _fits(trace, pattern, g)), None)
        if group is None:
            group = Group([], {})
            found.append(group)
        group.pattern |= pattern
        place = 0 if trace.parent is None else len(group.traces)
        group.traces.insert(place, trace)
        groups[trace] = group
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


def _is_as(trace: Trace, entry: Trace) -> bool:
    """True where a call of an entry gives what that declares, by the same numbers.

    All other calls are functions of their own.
    """
    given = {name: value.known for name, value in trace.inputs.items()}
    symbols, attributes = trace.session.engine.symbols, trace.session.attribute_symbols
    numbers = {name: symbol.value for name, symbol in attributes.items()}
    _, faults = bound(entry.declaration, numbers, given, symbols)
    wanted = {name: value.dtype for name, value in entry.inputs.items()}
    retyped = any(v.dtype not in (None, wanted[n]) for n, v in trace.inputs.items())
    same = list(_roots(trace)) == list(_roots(entry))
    return same and not faults and not retyped


def _pattern(trace: Trace) -> dict[tuple[str, str], str]:
    """The inputs that a call may leave out, by the operand that they reach."""
    return {
        (node.name, name): node.fields[name].reference
        for node in trace.nodes.values()
        for name in node.fields
        if is_optional_input(trace, node, name)
    }


def _roots(trace: Trace) -> Iterator[str]:
    """The numbers of a function and of what it calls, in the words of the entry."""
    for given in trace.inputs.values():
        if given.copies is not None:
            yield text_of(rooted(tree_of_number(given.copies), trace))
    for node in trace.nodes.values():
        for value in node.fields.values():
            for number in in_field(value):
                for tree in without_dims(tree_of_number(number)):
                    yield text_of(rooted(tree, trace))
        for callees in node.callees.values():
            for callee in callees:
                yield from _roots(callee)


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
