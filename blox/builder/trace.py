"""Python functions as functions of a Graph: traced with what flows into them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from blox.schema.diagnostics import quote
from blox.schema.expressions import names
from blox.schema.fields import is_expression
from blox.schema.nodes import dump_node

from .attribute import Attribute
from .records import Record, compare
from .session import Session, Traced
from .signatures import Signature, fault, signature_of
from .values import Flow, Input, Value, Values
from .writer import Writer

R = TypeVar("R")
SINGLE = "out"
"""The name of the one output of a function that returns a bare value."""


def trace(
    graph: Session,
    function: Callable[..., R],
    flows: Mapping[str, Flow],
    own: Mapping[str, int | float],
) -> Traced[R]:
    """Runs a Python function on what flows in, and records or compares its nodes.

    Raises:
        SpecError: it was traced before and now writes other nodes.
    """
    signature = signature_of(function)
    numbers = tuple((n, repr(v)) for n, v in own.items())  # 1 and 1.0 differ
    key = (function, tuple(flows.values()), numbers, len(graph.lanes))
    found = graph.traced.get(key)
    if found is not None:
        return found
    if signature.name in graph.active:
        chain = " -> ".join([*graph.active, signature.name])
        raise fault(signature.name, f"expected calls without a cycle, found {chain}")
    before = graph.records.get(signature.name)
    if before is None:
        # Its place in the file: before the functions that it calls.
        graph.records[signature.name] = Record(signature.name, "", [])
    graph.active.append(signature.name)
    try:
        made = _run(graph, function, signature, flows, own)
    except BaseException:
        if before is None:
            del graph.records[signature.name]
        raise
    finally:
        graph.active.pop()
    if before is None:
        graph.records[signature.name] = made.record
    else:
        compare(before, made.record)
        made = replace(made, record=before)
    graph.traced[key] = made
    return made


def _run(
    graph: Session,
    function: Callable[..., R],
    signature: Signature,
    flows: Mapping[str, Flow],
    own: Mapping[str, int | float],
) -> Traced[R]:
    # Entries share one tree of parameters; what is called has a scope of its own.
    is_entry = len(graph.active) == 1
    leaves = dict(graph.leaves) if is_entry else {}
    w = Writer(graph, signature.name, flows, own, leaves)
    for name, given in graph.inputs.get(signature.name, {}).items():
        w.declared[name] = _declared(given)
        if not flows[name].absent and flows[name].kind == "tensor":
            w.bind(f"inputs.{name}", given.shape, flows[name])
    result = function(
        graph.parameter(w),
        *w.inputs.values(),
        **{n: Attribute(f"${n}") for n in signature.attributes},
    )
    outputs = named_outputs(w, result)
    doc = inspect.getdoc(function) or ""
    record = Record(
        signature.name,
        doc.partition("\n\n")[0].replace("\n", " "),
        list(signature.attributes),
        {n: {**_input(w.declared[n], flows[n])} for n in _optional_last(flows)},
        {n: dump_node(op) for n, op in w.nodes.items()},
        {n: v.reference for n, v in outputs.items()},
        [*dict.fromkeys(c.function for op in w.nodes.values() for c in op.callees())],
        bare=isinstance(result, Value),
    )
    leaving = {n: _leaving(v.flow, graph, own) for n, v in outputs.items()}
    if is_entry:
        graph.leaves.update(w.leaves)
    return Traced(record, leaving, w.leaves, result)


def named_outputs(w: Writer, result: Any) -> dict[str, Value]:
    """The outputs by name.

    Raises:
        SpecError: what is returned is no value, dict or named tuple of values.
    """
    if isinstance(result, Value):
        outputs: dict[str, Any] = {SINGLE: result}
    elif isinstance(result, dict):
        outputs = result
    elif isinstance(result, Values):
        outputs = dict(zip(result.names, result, strict=True))
    elif isinstance(result, tuple) and hasattr(result, "_fields"):
        outputs = dict(zip(_field_names(result), result, strict=True))
    else:
        w.fault(
            "",
            "expected a Value, a dict or a named tuple of them to be returned, found "
            f"{type(result).__name__}",
            'return {"x": x, "k": k}' if isinstance(result, tuple) else "",
        )
    for name, value in outputs.items():
        if not isinstance(value, Value) or value.owner is not w:
            w.fault(
                f"outputs.{name}",
                f"expected a value of {w.name}, found {quote(value)}",
            )
        if value.flow.optional:
            w.fault(
                f"outputs.{name}",
                "expected a value that is always there, found "
                f"{value.reference}, which is optional",
                "give it a value by f.default",
            )
    return outputs


def _field_names(result: Any) -> tuple[str, ...]:
    names: tuple[str, ...] = result._fields
    return names


def rebuilt(result: R, values: tuple[Value, ...]) -> R:
    """`values` nested as the function returned its own."""
    made: Any
    if isinstance(result, Value):
        made = values[0]
    elif isinstance(result, dict):
        made = dict(zip(result, values, strict=True))
    elif isinstance(result, Values):
        made = Values(result.names, values)
    else:
        made = cast(Any, type(result))(*values)
    return cast(R, made)


def _input(declared: dict[str, Any], flow: Flow) -> dict[str, Any]:
    if flow.kind == "key":
        declared = {**declared, "dtype": "key"}
    return {**declared, "optional": True} if flow.optional else declared


def _declared(given: Input) -> dict[str, Any]:
    declared: dict[str, Any] = {"shape": list(given.shape), "dtype": given.dtype}
    declared |= {"optional": True} if given.optional else {}
    return {**declared, **({"doc": given.doc} if given.doc else {})}


def _optional_last(flows: Mapping[str, Flow]) -> list[str]:
    return sorted(flows, key=lambda n: flows[n].optional)


def _leaving(flow: Flow, graph: Session, own: Mapping[str, Any]) -> Flow:
    """A flow without what only the function that it leaves can name.

    `$features` stays where it is the name of one of its own attributes: the caller
    knows what it gave for that.
    """
    if not is_expression(flow.last):
        return flow
    used = names(str(flow.last))
    if all(n in graph.attributes for n in used):
        return flow
    if len(used) == 1 and flow.last == f"${used[0]}" and used[0] in own:
        return flow
    return replace(flow, last=_number(flow))


def _number(flow: Flow) -> int | None:
    size = flow.shape[-1] if flow.shape else None
    return size if isinstance(size, int) else None


def entering(flow: Flow, graph: Session) -> Flow:
    """A flow without what only the function that it comes from can name."""
    if is_expression(flow.last) and not all(
        n in graph.attributes for n in names(str(flow.last))
    ):
        return replace(flow, last=_number(flow))
    return flow
