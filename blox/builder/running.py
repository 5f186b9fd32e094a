"""Nodes that run Python functions, by the engine's rule of their op, in all lanes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from blox.schema.expressions import ExpressionError
from blox.schema.op import ScopeOp
from blox.shapes.control import rule
from blox.shapes.control.base import Control
from blox.shapes.kinds import FLOAT
from blox.shapes.symbolic import value_of

from .arguments import input_flows, numbers
from .results import added, run
from .session import Traced
from .signatures import signature_of
from .trace import entering
from .values import Flow

if TYPE_CHECKING:
    from .writer import Writer

R = TypeVar("R")
Groups = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Runs(Generic[R]):
    """A function or copy that a node runs, with the attributes that it gets."""

    function: Callable[..., R]
    attributes: Mapping[str, Any]


def running(
    w: Writer,
    name: str,
    op: ScopeOp,
    groups: Groups,
    callees: Sequence[Runs[R]],
    own: Mapping[str, Any] | None = None,
) -> tuple[Traced[R], list[Flow]]:
    """Traces what a node runs, as often as its rule asks; what the node gives.

    Args:
        groups: carry, xs and inputs, by input name.
        own: operands of the node itself, by field.

    Raises:
        ModelError: the functions and what flows don't fit each other.
    """
    lanes, where = w.lanes, f"{w.name}.{name}"
    known = {
        group: {
            n: w.flow_of(f"{name}.{group}.{n}", v).values
            for n, v in values.items()
            if v is not None
        }
        for group, values in groups.items()
    }
    single = {n: w.flow_of(f"{name}.{n}", v).values for n, v in (own or {}).items()}
    nodes = []
    for i, sizes in enumerate(w.sizes):
        given: dict[str, Any] = {
            g: {n: v[i] for n, v in values.items()} for g, values in known.items()
        }
        given |= {n: v[i] for n, v in single.items()}
        tokens = [repr(sorted(c.attributes.items())) for c in callees]
        nodes.append(
            Control(
                op,
                (),
                given,
                tokens,
                {},
                partial(_size, sizes=sizes, symbols=lanes.engine.symbols),
                lanes.engine.values,
                FLOAT,
            )
        )
    carry = groups.get("carry")
    index = op.callees()[-1].index
    flows: dict[str, Flow] = {}
    outputs: dict[str, Flow] = {}
    traced: Traced[R] | None = None
    try:
        rules = [rule(node) for node in nodes]
        asked = [next(running) for running in rules]
        results: dict[int, Any] = {}
        while len(results) < len(rules):
            at = next(a for i, (a, _) in enumerate(asked) if i not in results)
            callee = callees[at]
            signature = signature_of(callee.function)
            flows = input_flows(w, name, signature, groups, index)
            for n, flow in outputs.items():
                if carry and n in carry and n in flows:
                    size = entering(flow, w.graph).last
                    flows[n] = replace(flows[n], last=size)
            inputs = {
                n: replace(flow, values=tuple(given.get(n) for _, given in asked))
                for n, flow in flows.items()
            }
            # What isn't the last is asked for other things than the next carry.
            last = callee.function is callees[-1].function
            kept = carry if last else None
            found, made = run(w, name, callee.function, inputs, callee.attributes, kept)
            if last:
                traced, outputs = found, made
            for i, each in enumerate(rules):
                if i in results:
                    continue
                nodes[i].outputs = tuple(made)
                values = (flow.values[i] for flow in made.values())
                try:
                    asked[i] = each.send(
                        tuple(v or nodes[i].values.lost() for v in values)
                    )
                except StopIteration as stop:
                    results[i] = stop.value
    except ExpressionError as error:
        w.fault(name, str(error))
    assert traced is not None
    faults = [next(iter(node.found(lanes.engine.symbols)), None) for node in nodes]
    lanes.judge(where, "", faults)
    columns = zip(*(results[i] for i in range(len(rules))), strict=True)
    axis = getattr(op, "axis", 0)
    return traced, [
        _given(flow, values, axis)
        for flow, values in zip(outputs.values(), columns, strict=True)
    ]


def _given(flow: Flow, values: tuple[Any, ...], axis: Any) -> Flow:
    """An output of the node; its last size is written as inside, if it is that axis."""
    found = replace(flow, values=values)
    if found.shape is None or flow.shape is None:
        return replace(found, last=None)
    rank = len(found.shape)
    if rank > len(flow.shape) and axis % rank == rank - 1:
        size = found.shape[-1]
        return replace(found, last=size if isinstance(size, int) else None)
    return found


def _size(size: Any, sizes: Mapping[str, Any], symbols: Any) -> Any:
    return value_of(size, sizes, symbols) if isinstance(size, str) else size


def add_running(
    w: Writer,
    name: str,
    data: dict[str, Any],
    groups: Mapping[str, Mapping[str, Any]],
    runs: Sequence[Runs[R]],
    own: Mapping[str, Any] | None = None,
) -> R:
    """Traces what a node runs, and adds the node."""
    for each in runs:
        numbers(w, name, each.attributes)
    op = w.validated(name, {k: v for k, v in data.items() if v is not None})
    resolved = w.resolved(name, op)
    assert isinstance(resolved, ScopeOp)
    traced, outputs = running(w, name, resolved, groups, runs, own)
    return added(w, name, op, outputs, traced)
