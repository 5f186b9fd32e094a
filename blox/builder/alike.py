"""When calls are alike: they write the same nodes, but for numbers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from blox.schema import op_class

from .fields import mapped, takes_expressions
from .python_function import signature_of
from .sizes import Dim, tree_of_number
from .trace import Node, Trace
from .trees import pattern_of, symbols
from .values import Value


def key_of(trace: Trace, groups: Mapping[Trace, object]) -> Any:
    """What a trace is but for its numbers."""
    inputs = tuple(
        (name, value.kind, value.optional)
        for name, value in trace.inputs.items()
        if not _may_lack(trace, name)
    )
    ranks = tuple((n, len(trace.inputs[n].sizes or ())) for n in _with_axes(trace))
    nodes = tuple(
        (name, node.op, repr(_mask(trace, node)), _callee_key(trace, node, groups))
        for name, node in trace.nodes.items()
    )
    outputs = [(n, v.reference) for n, v in trace.outputs.items()]
    if isinstance(trace.result, Value):
        outputs = [("", trace.result.reference)]
    return trace.name, doc_of(trace.function), inputs, ranks, nodes, tuple(outputs)


def _with_axes(trace: Trace) -> list[str]:
    """The inputs of whose axes the nodes speak, which declare a shape."""
    found = set()
    for node in trace.nodes.values():
        for value in node.fields.values():
            for number in in_field(value):
                axes = [s.at for s in symbols(tree_of_number(number)) if s.is_dim]
                found |= {at[0] for at in axes if at is not None}
    return sorted(found)


def _may_lack(trace: Trace, name: str) -> bool:
    """True for an input whose parameter has the default None."""
    parameter = signature_of(trace.function).parameters.get(name)
    declared = trace.session.declared.get(trace.function, {}).get(name)
    default = parameter is not None and parameter.default is None
    return default or (declared is not None and declared.optional)


def _callee_key(trace: Trace, node: Node, groups: Mapping[Trace, object]) -> Any:
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
        if is_optional_input(trace, node, name):
            continue
        free = takes_expressions(cls, name, value)
        found[name] = mapped(value, _mark if free else repr)
    return found


def _mark(number: Any) -> str:
    return pattern_of(number.tree) if isinstance(number, Dim) else "#number"


def is_optional_input(trace: Trace, node: Node, name: str) -> bool:
    cls = op_class(node.op)
    mark = None if cls is None else cls.fields().operands.get(name)
    value = node.fields.get(name)
    if mark is None or not mark.optional or not isinstance(value, Value):
        return False
    return value.reference in trace.inputs and _may_lack(trace, value.reference)


def in_field(value: Any) -> Iterator[Any]:
    found: list[Any] = []

    def keep(number: Any) -> str:
        found.append(number)
        return ""

    mapped(value, keep)
    yield from found


def doc_of(function: Callable[..., Any]) -> str:
    """The first paragraph of a function's docstring, on one line; of one of another
    Graph its own `doc`."""
    said: str | None = getattr(function, "doc", None)
    if said is not None:
        return said
    doc = inspect.getdoc(function) or ""
    return doc.partition("\n\n")[0].replace("\n", " ")
