"""Calls, loops and branches: nodes that run functions, given as Python functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import jax.numpy as jnp

from blox.schema.errors import quote
from blox.schema.expressions import ExpressionError, evaluate, names
from blox.schema.fields import Operand as OperandMark
from blox.schema.fields import is_expression
from blox.schema.ops.control import Remat

from .tracing import SINGLE, Signature, Traced, entering, rebuilt, signature, trace
from .values import Flow, Operand, Value, show
from .written import means

if TYPE_CHECKING:
    from .writer import Writer

R = TypeVar("R")
Inputs = Mapping[str, "Operand | None"]
Attribute = int | float | str
_INDEX = Flow((), jnp.dtype("int32"))


class ControlMethods:
    """The methods of ops that run functions.

    A function is `def block(f, x, mask=None, *, features)`: the builder, inputs, and
    keyword-only attributes, which it gets as `"$features"`. An input with the default
    None is optional. It returns a Value, a dict by output name, or a named tuple; what
    the method returns has the same form. Its nodes must be the same at every call.
    """

    _writer: Writer

    def call(
        self,
        name: str,
        function: Callable[..., R],
        *inputs: Operand | None,
        params: str | None = None,
        remat: Remat | None = None,
        **named: Operand | None,
    ) -> R:
        """The outputs of a function, with parameters of its own under the node's name.

        Inputs go by position or name, attributes of the function by name:
        `f.call("proj", project, x, features="$2 * width")`.
        """
        w, form = _prepare(self, name, function)
        given = _by_position(w, name, form, inputs)
        own = {n: v for n, v in named.items() if n in form.attributes}
        given.update({n: v for n, v in named.items() if n not in form.attributes})
        attributes = _attributes(w, name, form, own)
        flows = _input_flows(w, name, form, {"inputs": given})
        traced = trace(w.graph, function, flows, _values(w, name, attributes))
        data = _data(w, name, form, {"inputs": given}, attributes)
        data |= {"op": "call", "function": form.name, "params": params, "remat": remat}
        outputs = [_returned(w, o, attributes) for o in traced.outputs.values()]
        return _added(w, name, data, outputs, traced)

    def repeat(
        self,
        name: str,
        function: Callable[..., R],
        *,
        count: int | str,
        carry: Inputs | None = None,
        xs: Mapping[str, Operand | Sequence[int | float]] | None = None,
        inputs: Inputs | None = None,
        index: str | None = None,
        attributes: Mapping[str, Attribute | Sequence[Attribute]] | None = None,
        scan: bool = True,
        params: str | None = None,
        remat: Remat | None = None,
    ) -> R:
        """`count` copies of a function one after another, each with its own parameters.

        An output named as a carry is the next carry (a bare Value is the one carry).
        The node gives the last one, and all other outputs stacked on a leading axis.
        `xs` give one slice of their leading axis, or one item of a list, per copy;
        `inputs` are the same for all; `index` names the input that gets the step. With
        `scan` it is one `jax.lax.scan` over stacked parameters, else unrolled, and a
        list in `attributes` cycles.
        """
        w, form = _prepare(self, name, function)
        groups = {"carry": carry or {}, "xs": xs or {}, "inputs": inputs or {}}
        own = _attributes(w, name, form, attributes or {})
        steps = _int(w, f"{name}.count", count)
        flows = _input_flows(w, name, form, groups, index, axis=0)
        cycle = math.lcm(*(len(v) for v in own.values() if isinstance(v, list)))
        copies = 1 if scan or not isinstance(steps, int) else max(1, min(cycle, steps))
        carried = dict(flows)
        for i in range(copies):
            picked = {
                k: v[i % len(v)] if isinstance(v, list) else v for k, v in own.items()
            }
            traced = trace(w.graph, function, carried, _values(w, name, picked))
            _name_bare(w, name, traced, tuple(groups["carry"]))
            outputs = {
                n: _returned(w, o, picked)
                for n, o in zip(
                    traced.record.outputs, traced.outputs.values(), strict=True
                )
            }
            carried |= {n: entering(outputs[n], w.graph) for n in groups["carry"]}
        if scan:
            _check_carry(w, name, groups["carry"], flows, outputs)
        data = _data(w, name, form, groups, own, index)
        data |= {"op": "repeat", "function": form.name, "count": count, "scan": scan}
        data |= {"params": params, "remat": remat}
        stacked = [
            o if n in groups["carry"] else _stacked(o, steps, 0)
            for n, o in outputs.items()
        ]
        return _added(w, name, data, stacked, traced)

    def scan(
        self,
        name: str,
        function: Callable[..., R],
        *,
        carry: Inputs | None = None,
        xs: Inputs | None = None,
        inputs: Inputs | None = None,
        index: str | None = None,
        length: int | str | None = None,
        axis: int = 0,
        reverse: bool = False,
        attributes: Mapping[str, Attribute] | None = None,
        params: str | None = None,
        remat: Remat | None = None,
    ) -> R:
        """`jax.lax.scan` of a function over `axis` of its xs, parameters shared.

        An output named as a carry is the next carry (a bare Value is the one carry).
        The node gives the last one, and all others stacked on `axis`. `length` is
        needed where there are no xs; `index` names the input that gets the step.
        """
        w, form = _prepare(self, name, function)
        groups = {"carry": carry or {}, "xs": xs or {}, "inputs": inputs or {}}
        own = _attributes(w, name, form, attributes or {})
        flows = _input_flows(w, name, form, groups, index, axis=axis)
        traced = trace(w.graph, function, flows, _values(w, name, own))
        _name_bare(w, name, traced, tuple(groups["carry"]))
        outputs = dict(zip(traced.record.outputs, traced.outputs.values(), strict=True))
        outputs = {n: _returned(w, o, own) for n, o in outputs.items()}
        _check_carry(w, name, groups["carry"], flows, outputs)
        steps = _int(w, f"{name}.length", length)
        for value in groups["xs"].values():
            flow = w.flow_of(f"{name}.xs", value)
            steps = flow.shape[axis] if steps is None and flow.shape else steps
        data = _data(w, name, form, groups, own, index)
        data |= {"op": "scan", "function": form.name, "length": length, "axis": axis}
        data |= {"reverse": reverse, "params": params, "remat": remat}
        stacked = [
            o if n in groups["carry"] else _stacked(o, steps, axis)
            for n, o in outputs.items()
        ]
        return _added(w, name, data, stacked, traced)

    def map(
        self,
        name: str,
        function: Callable[..., R],
        *,
        xs: Inputs | None = None,
        inputs: Inputs | None = None,
        count: int | str | None = None,
        axis: int = 0,
        attributes: Mapping[str, Attribute] | None = None,
        params: str | None = None,
    ) -> R:
        """`jax.vmap` of a function over `axis` of its xs; outputs are stacked on it.

        With a `count` every lane has its own parameters, stacked on a leading axis
        (experts); without one all lanes share them.
        """
        w, form = _prepare(self, name, function)
        groups = {"xs": xs or {}, "inputs": inputs or {}}
        own = _attributes(w, name, form, attributes or {})
        flows = _input_flows(w, name, form, groups, axis=axis)
        traced = trace(w.graph, function, flows, _values(w, name, own))
        lanes = _int(w, f"{name}.count", count)
        for value in groups["xs"].values():
            flow = w.flow_of(f"{name}.xs", value)
            lanes = flow.shape[axis] if lanes is None and flow.shape else lanes
        data = _data(w, name, form, groups, own)
        data |= {"op": "map", "function": form.name, "count": count, "axis": axis}
        data["params"] = params
        outputs = [_returned(w, o, own) for o in traced.outputs.values()]
        stacked = [_stacked(o, lanes, axis) for o in outputs]
        return _added(w, name, data, stacked, traced)

    def cond(
        self,
        name: str,
        predicate: Operand,
        then: Callable[..., R],
        otherwise: Callable[..., R],
        inputs: Inputs | None = None,
        *,
        params: str | None = None,
    ) -> R:
        """`jax.lax.cond`: the outputs of `then` where the scalar `predicate` holds,
        else those of `otherwise`. Both take `inputs` and return outputs that are alike.
        """
        w, form = _prepare(self, name, then)
        other = signature(otherwise)
        groups = {"inputs": inputs or {}}
        flows = _input_flows(w, name, form, groups)
        traced = trace(w.graph, then, flows, {})
        second = trace(w.graph, otherwise, _input_flows(w, name, other, groups), {})
        for (output, a), b in zip(
            traced.outputs.items(), second.outputs.values(), strict=False
        ):
            if a.shape is not None and b.shape is not None and a.shape != b.shape:
                w.fault(
                    name,
                    f"expected {output} of {form.name} and {other.name} to have one "
                    f"shape, found {show(a.shape)} and {show(b.shape)}",
                )
        data = _data(w, name, form, groups, {})
        data |= {"op": "cond", "then": form.name, "else": other.name, "params": params}
        data["predicate"] = w.operand(f"{name}.predicate", predicate, OperandMark())
        return _added(w, name, data, list(traced.outputs.values()), traced)

    def while_loop(
        self,
        name: str,
        cond: Callable[..., Value],
        body: Callable[..., R],
        *,
        carry: Inputs,
        inputs: Inputs | None = None,
        max_steps: int | str | None = None,
        params: str | None = None,
    ) -> R:
        """`jax.lax.while_loop`: repeats `body` on the carry while `cond` of it holds,
        at most `max_steps` times. `body` returns the next carry, by name.
        """
        w, form = _prepare(self, name, body)
        groups = {"carry": carry, "inputs": inputs or {}}
        flows = _input_flows(w, name, form, groups)
        traced = trace(w.graph, body, flows, {})
        _name_bare(w, name, traced, tuple(carry))
        test = signature(cond)
        trace(w.graph, cond, _input_flows(w, name, test, groups), {})
        outputs = dict(zip(traced.record.outputs, traced.outputs.values(), strict=True))
        _check_carry(w, name, carry, flows, outputs)
        data = _data(w, name, form, groups, {})
        data |= {"op": "while_loop", "cond": test.name, "body": form.name}
        data |= {"max_steps": max_steps, "params": params}
        return _added(w, name, data, list(outputs.values()), traced)


def _prepare(
    methods: ControlMethods, name: str, function: Callable[..., Any]
) -> tuple[Writer, Signature]:
    w = methods._writer
    w.check_name(name)
    return w, signature(function)


def _by_position(
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


def _attributes(
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


def _values(w: Writer, name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
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


def _int(w: Writer, where: str, value: int | str | None) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return evaluate(value, w.sizes)
    except ExpressionError as error:
        w.fault(where, str(error))


def _input_flows(
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


def _stacked(flow: Flow, count: Any, axis: int) -> Flow:
    if flow.shape is None or count is None:
        return Flow(dtype=flow.dtype)
    rank = len(flow.shape) + 1
    at = axis % rank
    last = flow.last
    if at == rank - 1:
        last = count if isinstance(count, int) else None
    return replace(flow, shape=(*flow.shape[:at], count, *flow.shape[at:]), last=last)


def _returned(w: Writer, flow: Flow, attributes: Mapping[str, Any]) -> Flow:
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


def _name_bare(w: Writer, name: str, traced: Traced, carry: tuple[str, ...]) -> None:
    """A bare output that is a carry takes the carry's name."""
    record = traced.record
    if not record.bare or not carry:
        return
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


def _check_carry(
    w: Writer,
    name: str,
    carry: Mapping[str, Any],
    flows: Mapping[str, Flow],
    outputs: Mapping[str, Flow],
) -> None:
    for key, value in carry.items():
        if key not in outputs:
            w.fault(
                f"{name}.carry.{key}",
                f"expected the function to return the next {key}, found outputs "
                f"{', '.join(outputs)}",
            )
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


def _data(
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


def _added(
    w: Writer,
    name: str,
    data: dict[str, Any],
    outputs: Sequence[Flow],
    traced: Traced,
) -> Any:
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
