"""What a node gets back from the functions that it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from blox.schema.expressions import names
from blox.schema.fields import is_expression

from .arguments import input_flows, numbers
from .records import Record
from .signatures import signature
from .trace import SINGLE, Traced, rebuilt, trace
from .values import Flow, Value, show
from .written import means

if TYPE_CHECKING:
    from .writer import Writer

R = TypeVar("R")


def stacked(flow: Flow, count: Any, axis: int) -> Flow:
    """A flow with a new axis of size `count`, unknown where that is."""
    if flow.shape is None or count is None:
        return Flow(dtype=flow.dtype)
    rank = len(flow.shape) + 1
    at = axis % rank
    last = flow.last
    if at == rank - 1:
        last = count if isinstance(count, int) else None
    return replace(flow, shape=(*flow.shape[:at], count, *flow.shape[at:]), last=last)


def returned(w: Writer, flow: Flow, attributes: Mapping[str, Any]) -> Flow:
    """A flow out of a function, its last size in the caller's words."""
    if not is_expression(flow.last):
        return flow
    (used, *others) = names(str(flow.last))
    if others or used not in attributes:
        return flow
    given = attributes[used]
    size = flow.shape[-1] if flow.shape else None
    known = isinstance(size, int) and means(given, size, w.attributes)
    return replace(flow, last=given if known else size)


def run(
    w: Writer,
    name: str,
    function: Callable[..., R],
    flows: Mapping[str, Flow],
    attributes: Mapping[str, Any],
    carry: Mapping[str, Any] | None,
) -> tuple[Traced[R], dict[str, Flow]]:
    """Traces a function; its outputs by name, sizes in the caller's words."""
    traced = trace(w.graph, function, flows, numbers(w, name, attributes))
    if carry and traced.record.bare:
        _name_bare(w, name, traced.record, tuple(carry))
    outputs = {
        n: returned(w, flow, attributes)
        for n, flow in zip(traced.record.outputs, traced.outputs.values(), strict=True)
    }
    for key in carry or ():
        if key not in outputs:
            w.fault(
                f"{name}.carry.{key}",
                f"expected the function to return the next {key}, found outputs "
                f"{', '.join(outputs)}",
            )
    return traced, outputs


def branches(
    w: Writer,
    name: str,
    functions: Sequence[Callable[..., R]],
    groups: Mapping[str, Mapping[str, Any]],
) -> Traced[R]:
    """Traces functions of which one runs, and compares them with the first."""
    forms = [signature(function) for function in functions]
    first, *others = [
        trace(w.graph, function, input_flows(w, name, form, groups), {})
        for function, form in zip(functions, forms, strict=True)
    ]
    for form, other in zip(forms[1:], others, strict=True):
        flows = zip(first.outputs.items(), other.outputs.values(), strict=False)
        for (output, a), b in flows:
            if a.shape is not None and b.shape is not None and a.shape != b.shape:
                w.fault(
                    name,
                    f"expected {output} of {forms[0].name} and {form.name} to have one "
                    f"shape, found {show(a.shape)} and {show(b.shape)}",
                )
    return first


def picked(attributes: Mapping[str, Any], copy: int) -> dict[str, Any]:
    """The attributes of one copy of a repeat: lists cycle."""
    return {
        k: v[copy % len(v)] if isinstance(v, list) else v for k, v in attributes.items()
    }


def _name_bare(w: Writer, name: str, record: Record, carry: tuple[str, ...]) -> None:
    """A bare output that is a carry takes the carry's name."""
    if len(carry) != 1:
        w.fault(
            name,
            f"expected {record.name} to return the carries {', '.join(carry)} by name, "
            "found one value without a name",
        )
    ((old, reference),) = record.outputs.items()
    if old not in (SINGLE, carry[0]):
        w.fault(
            name,
            f"expected {record.name} to return {carry[0]}, found {old}",
            "return a dict by name",
        )
    record.outputs = {carry[0]: reference}


def check_carry(
    w: Writer,
    name: str,
    carry: Mapping[str, Any],
    flows: Mapping[str, Flow],
    outputs: Mapping[str, Flow],
) -> None:
    for key, value in carry.items():
        a, b = flows[key], outputs[key]
        if a.shape is None or b.shape is None:
            continue
        typed = isinstance(value, Value) and None not in (a.dtype, b.dtype)
        if a.shape != b.shape or (typed and a.dtype != b.dtype):
            w.fault(
                f"{name}.carry.{key}",
                "expected the next carry to be as the one before, "
                f"{a.dtype}{show(a.shape)}, found {b.dtype}{show(b.shape)}",
            )


def added(
    w: Writer,
    name: str,
    data: dict[str, Any],
    outputs: Sequence[Flow],
    traced: Traced[R],
) -> R:
    """Adds the node; its outputs in the form that the function returned its own in."""
    op = w.validated(name, {k: v for k, v in data.items() if v is not None})
    w.resolved(name, op)
    values = w.add(name, op, tuple(traced.record.outputs), outputs)
    if data["op"] == "call":
        params = data["params"]
        scope = (name,) if params is None else tuple(p for p in params.split(".") if p)
        for path, leaf in traced.leaves.items():
            w.leaves.setdefault((*scope, *path), leaf)
    return rebuilt(traced.result, values)
