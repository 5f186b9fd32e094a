"""What a node gives to the functions that it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from blox.schema.diagnostics import quote
from blox.schema.expressions import ExpressionError, evaluate
from blox.schema.fields import Operand as OperandMark
from blox.schema.fields import is_expression

from .signatures import Signature, signature_of
from .trace import entering
from .values import Flow, Operand, Value

if TYPE_CHECKING:
    from .writer import Writer

Inputs = Mapping[str, Operand | None]
Attribute = int | float | str


def prepare(
    w: Writer, name: str, function: Callable[..., Any]
) -> tuple[Writer, Signature]:
    """The writer, and the function's signature; the name is checked."""
    w.check_name(name)
    return w, signature_of(function)


def by_name(w: Writer, name: str, **groups: Any) -> dict[str, Mapping[str, Any]]:
    """Carry, xs and inputs, each by input name; an empty one where there is none."""
    for group, values in groups.items():
        if values is not None and not isinstance(values, Mapping):
            w.fault(
                f"{name}.{group}",
                f"expected values by input name, found {type(values).__name__}",
                f'give {group}={{"x": x}}',
            )
    return {group: {} if v is None else v for group, v in groups.items()}


def by_position(
    w: Writer, name: str, signature: Signature, inputs: Sequence[Any]
) -> dict[str, Any]:
    if len(inputs) > len(signature.inputs):
        w.fault(
            name,
            f"expected at most {len(signature.inputs)} inputs for {signature.name}, found "
            f"{len(inputs)}",
            "attributes go by name" if signature.attributes else "",
        )
    return dict(zip(signature.inputs, inputs, strict=False))


def attributes_of(
    w: Writer, name: str, signature: Signature, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The attributes of a call in the function's order, defaults included."""
    result: dict[str, Any] = {}
    for key in given:
        if key not in signature.attributes:
            have = ", ".join(signature.attributes) or "none"
            w.fault(
                name, f"expected attributes of {signature.name} ({have}), found {key}"
            )
    for key in signature.attributes:
        if key not in given and key not in signature.defaults:
            w.fault(
                name, f"expected the attribute {key} of {signature.name}, found nothing"
            )
        value = given.get(key, signature.defaults.get(key))
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
        if isinstance(value, list):
            w.fault(
                f"{name}.{key}",
                f"expected a number or an expression for an attribute, found {quote(value)}",
                "a list goes to an unrolled repeat, a number for each copy in turn",
            )
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
        return evaluate(value, w.sizes[0])
    except ExpressionError as error:
        w.fault(where, str(error))


def input_flows(
    w: Writer,
    name: str,
    signature: Signature,
    groups: Mapping[str, Mapping[str, Any]],
    index: str | None = None,
    axis: int = 0,
) -> dict[str, Flow]:
    """What flows into each input of a function, in the order of its signature."""
    given = {n: (group, v) for group, vs in groups.items() for n, v in vs.items()}
    for key in [*given, *([index] if index is not None else [])]:
        if key not in signature.inputs:
            w.fault(
                f"{name}.{key}",
                f"{signature.name} has no such input; expected one of "
                f"{', '.join(signature.inputs) or 'none'}",
            )
    flows: dict[str, Flow] = {}
    for key in signature.inputs:
        group, value = given.get(key, ("inputs", signature.defaults.get(key)))
        where = f"{name}.{group}.{key}"
        optional = key in signature.defaults and signature.defaults[key] is None
        if key == index:
            flow = Flow(w.lanes.absent())
        elif value is None:
            if not optional:
                w.fault(
                    name, f"expected the input {key} of {signature.name}, found nothing"
                )
            flow = Flow(w.lanes.absent(), absent=True)
        else:
            flow = w.flow_of(where, value)
            if group == "xs":
                flow = replace(flow, last=_last_of_slice(flow, axis))
        flow = entering(flow, w.graph)
        flows[key] = replace(flow, optional=flow.optional or optional)
    return flows


def _last_of_slice(flow: Flow, axis: int) -> str | int | None:
    """How the last size of a slice along an axis is written."""
    rank = len(flow.shape or ())
    if not flow.shape or not -rank <= axis < rank or axis % rank < rank - 1:
        return flow.last
    size = flow.shape[-2] if rank > 1 else None
    return size if isinstance(size, int) else None


def node_data(
    w: Writer,
    name: str,
    signature: Signature,
    groups: Mapping[str, Mapping[str, Any]],
    attributes: Mapping[str, Any],
    index: str | None = None,
) -> dict[str, Any]:
    """The fields that say what a function gets."""
    data: dict[str, Any] = {}
    for group, values in groups.items():
        texts: dict[str, Any] = {}
        for key in signature.inputs:
            value = values.get(key)
            if group == "inputs" and key not in values and key != index:
                default = signature.defaults.get(key)
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
