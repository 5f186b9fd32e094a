"""What a node gives to the functions that it runs, and what it gets back from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import jax.numpy as jnp

from blox.schema.errors import quote
from blox.schema.expressions import ExpressionError, evaluate, names
from blox.schema.fields import Operand as OperandMark
from blox.schema.fields import is_expression

from .records import Record
from .signatures import Signature, signature
from .tracing import SINGLE, Traced, entering, rebuilt, trace
from .values import Flow, Value, show
from .written import means

if TYPE_CHECKING:
    from .control import ControlMethods
    from .writer import Writer

R = TypeVar("R")
_INDEX = Flow((), jnp.dtype("int32"))


def prepare(
    methods: ControlMethods, name: str, function: Callable[..., Any]
) -> tuple[Writer, Signature]:
    w = methods._writer
    w.check_name(name)
    return w, signature(function)


def by_position(
    w: Writer, name: str, form: Signature, inputs: Sequence[Any]
) -> dict[str, Any]:
    if len(inputs) > len(form.inputs):
        w.fault(
            name,
            f"expected at most {len(form.inputs)} inputs for {form.name}, found "
            f"{len(inputs)}",
            "attributes go by name" if form.attributes else "",
        )
    return dict(zip(form.inputs, inputs, strict=False))


def attributes_of(
    w: Writer, name: str, form: Signature, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The attributes of a call in the function's order, defaults included."""
    result: dict[str, Any] = {}
    for key in given:
        if key not in form.attributes:
            have = ", ".join(form.attributes) or "none"
            w.fault(name, f"expected attributes of {form.name} ({have}), found {key}")
    for key in form.attributes:
        if key not in given and key not in form.defaults:
            w.fault(name, f"expected the attribute {key} of {form.name}, found nothing")
        value = given.get(key, form.defaults.get(key))
        value = list(value) if isinstance(value, (list, tuple)) else value
        for part in value if isinstance(value, list) else [value]:
            number = isinstance(part, (int, float)) and not isinstance(part, bool)
            if not number and not is_expression(part):
                w.fault(
                    f"{name}.{key}",
                    "expected a number or an expression for an attribute, found "
                    f"{quote(part.reference if isinstance(part, Value) else part)}",
                )
        result[key] = value
    return result


def numbers(w: Writer, name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes as numbers."""
    result = {}
    for key, value in attributes.items():
        if isinstance(value, str):
            try:
                value = evaluate(value, w.attributes, "float")
            except ExpressionError as error:
                w.fault(f"{name}.{key}", str(error))
        result[key] = value
    return result


def integer(w: Writer, where: str, value: int | str | None) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return evaluate(value, w.sizes)
    except ExpressionError as error:
        w.fault(where, str(error))


def input_flows(
    w: Writer,
    name: str,
    form: Signature,
    groups: Mapping[str, Mapping[str, Any]],
    index: str | None = None,
    axis: int = 0,
) -> dict[str, Flow]:
    """What flows into each input of a function, in the order of its signature."""
    given = {n: (group, v) for group, vs in groups.items() for n, v in vs.items()}
    for key in [*given, *([index] if index is not None else [])]:
        if key not in form.inputs:
            w.fault(
                f"{name}.{key}",
                f"{form.name} has no such input; expected one of "
                f"{', '.join(form.inputs) or 'none'}",
            )
    flows: dict[str, Flow] = {}
    for key in form.inputs:
        group, value = given.get(key, ("inputs", form.defaults.get(key)))
        where = f"{name}.{group}.{key}"
        optional = key in form.defaults and form.defaults[key] is None
        if key == index:
            flow = _INDEX
        elif value is None:
            if not optional:
                w.fault(name, f"expected the input {key} of {form.name}, found nothing")
            flow = Flow(absent=True)
        elif isinstance(value, (list, tuple)):
            flow = w.number_flow(where, value[0])
        else:
            flow = w.flow_of(where, value)
            if group == "xs":
                flow = _slice(w, where, flow, axis)
        flow = entering(flow, w.graph)
        flows[key] = replace(flow, optional=flow.optional or optional)
    return flows


def _slice(w: Writer, where: str, flow: Flow, axis: int) -> Flow:
    if flow.shape is None:
        return flow
    rank = len(flow.shape)
    if not -rank <= axis < rank:
        w.fault(where, f"expected an axis {axis}, found shape {show(flow.shape)}")
    at = axis % rank
    last = flow.last if at != rank - 1 else None
    shape = (*flow.shape[:at], *flow.shape[at + 1 :])
    if last is None and shape and isinstance(shape[-1], int):
        last = shape[-1]
    return replace(flow, shape=shape, last=last)


def stacked(flow: Flow, count: Any, axis: int) -> Flow:
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


def node_data(
    w: Writer,
    name: str,
    form: Signature,
    groups: Mapping[str, Mapping[str, Any]],
    attributes: Mapping[str, Any],
    index: str | None = None,
) -> dict[str, Any]:
    """The fields that say what a function gets."""
    data: dict[str, Any] = {}
    for group, values in groups.items():
        texts: dict[str, Any] = {}
        for key in form.inputs:
            value = values.get(key)
            if group == "inputs" and key not in values and key != index:
                default = form.defaults.get(key)
                elsewhere = any(key in vs for vs in groups.values())
                value = None if elsewhere else default
            if value is None:
                continue
            where = f"{name}.{group}.{key}"
            if isinstance(value, (list, tuple)):
                texts[key] = list(value)
                continue
            kind = value.flow.kind if isinstance(value, Value) else "tensor"
            mark = OperandMark("key" if kind == "key" else "tensor", True)
            texts[key] = w.operand(where, value, mark)
        data[group] = texts
    if attributes:
        data["attributes"] = dict(attributes)
    if index is not None:
        data["index"] = index
    return data


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
