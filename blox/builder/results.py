"""What a node gets back from the functions that it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from blox.schema import Op
from blox.schema.expressions import names
from blox.schema.fields import is_expression

from .arguments import numbers
from .records import Record
from .session import Traced
from .trace import SINGLE, rebuilt, trace
from .values import Flow
from .written import means

if TYPE_CHECKING:
    from .writer import Writer

R = TypeVar("R")


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


def added(
    w: Writer, name: str, op: Op, outputs: Sequence[Flow], traced: Traced[R]
) -> R:
    """Adds the node; its outputs nested as the function returned its own."""
    values = w.add(name, op, tuple(traced.record.outputs), outputs)
    called = op.callees()
    if len(called) == 1 and called[0].role is None and called[0].layout == "one":
        for path, leaf in traced.leaves.items():
            w.leaves.setdefault((*op.scope(name), *path), leaf)
    return rebuilt(traced.result, values)
