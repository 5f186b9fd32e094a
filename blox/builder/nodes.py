"""Nodes of ops that compute by themselves: checked, sizes filled in, shapes found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from blox.schema import Graph, ModelError, Op, SpecError, op_class
from blox.schema.content import FORMAT
from blox.schema.diagnostics import Diagnostic, quote
from blox.schema.expressions import ExpressionError, names
from blox.schema.fields import Operand as OperandMark
from blox.schema.op import ParamOp
from blox.schema.op_fields import Fields
from blox.schema.registry import definition, registered
from blox.schema.resolve.custom import registered_node
from blox.shapes.faults import Fault, rounding_hint
from blox.shapes.kinds import Kind, Lane
from blox.shapes.values import Value as Known

from .fields import args_of, as_number, mapped, sources
from .literals import is_literal
from .sizes import Dim, Size, plain
from .stated import Written
from .trace import Node, Stored, Trace, user_line
from .values import Value, Values, values_in

LISTS = "bx.slices of a list gives each copy of f.repeat, with scan=False, its array"


def written(
    trace: Trace, name: str | None, key: str, fields: Mapping[str, Any]
) -> tuple[Value, ...]:
    """Adds a node of an op; its outputs.

    Args:
        name: None where one is to be made up.
        key: the op.
        fields: operands, attributes and parameter options as the user gave them.

    Raises:
        SpecError: a field is wrong. ModelError: it doesn't take what flows in.
    """
    cls = op_class(key)
    assert cls is not None
    unnamed = name is None
    name = trace.unnamed(key) if name is None else trace.new_name(name)
    raw = {
        field: _field(trace, f"{name}.{field}", cls.fields(), field, value)
        for field, value in fields.items()
        if value is not None
    }
    data = {"op": key, **mapped(raw, as_number)}
    for absent, instead in cls.ABSENT.items():
        if absent not in data and instead in data:
            data[absent] = data[instead]
    op = validated(trace, name, data)
    op = _filled(trace, name, op, raw)
    op = _resolved(trace, name, op)
    stored = _stored(trace, name, op, raw)
    flowing = {v.reference: v for v in values_in(raw)}
    node = Written(trace, op, raw, [flowing[s] for s in sources(args_of(op))], stored)
    known = _inferred(node, name)
    for leaf, kept in stored.items():
        path = (*op.scope(name), *([leaf] if leaf else []))
        trace.leaves.setdefault(path, kept)
    outputs = op.outputs()
    trace.nodes[name] = Node(name, key, raw, unnamed, tuple(outputs), user_line())
    if op.OUTPUT_KIND == "key":
        return (Value(name, trace, known[0], (), "key", True),)
    sizes = trace.session.sizes(node, known)
    if len(outputs) == 1:
        return (Value(name, trace, known[0], sizes[0]),)
    return tuple(
        Value(f"{name}.{output}", trace, k, s)
        for output, k, s in zip(outputs, known, sizes, strict=True)
    )


def _field(trace: Trace, where: str, fields: Fields, name: str, value: Any) -> Any:
    """A field as the user gave it, checked as far as it takes values."""
    mark = fields.operands.get(name)
    if mark is None and name in fields.slots:
        if not isinstance(value, Value):
            chosen = f"use_{name}" in fields.attributes and isinstance(value, bool)
            hint = f"use_{name}={value} says whether it has one" if chosen else ""
            trace.fault(where, f"expected a Value, found {quote(value)}", hint)
        mark = OperandMark()
    if mark is None:
        for found in values_in(value):
            trace.fault(
                where,
                f"expected a number or a text, found the value {found.reference}",
                "an operand takes values; an attribute is known when one writes",
            )
        return trace.number(where, value)
    if mark.many != "list":
        return operand(trace, where, value, mark)
    if not isinstance(value, (list, tuple)):
        trace.fault(where, "expected a list of values, found one value", "[x] is one")
    return [operand(trace, where, part, mark) for part in value]


def operand(trace: Trace, where: str, value: Any, mark: OperandMark) -> Any:
    """An operand, checked to be of this function and of the right kind."""
    if isinstance(value, Value):
        trace.own(where, value)
        if value.kind not in mark.kind.split(" or "):
            hint = LISTS if value.kind == "list" else ""
            trace.fault(where, f"expected a {mark.kind}, found a {value.kind}", hint)
        if value.optional and not mark.optional:
            trace.fault(
                where,
                "expected a value that is always there, found "
                f"{value.reference}, which is optional",
                "give it a value by f.default",
            )
        return value
    number = trace.number(where, value)
    if mark.kind == "key" or not (is_literal(number) or isinstance(number, Dim)):
        found = f"{type(value).__name__} {quote(value)}"
        hint = ""
        if isinstance(value, Values):
            found = f"the outputs {', '.join(value.names)}; take one of them"
        elif hasattr(value, "shape"):
            hint = "an array goes into the Graph by f.constant, f.param or f.buffer"
        elif isinstance(value, complex):
            hint = "f.complex(f.constant(0.0), 1.0) is one"
        wanted = "a Value, a number, a boolean or an expression"
        wanted = "a key" if mark.kind == "key" else wanted
        trace.fault(where, f"expected {wanted}, found {found}", hint)
    return number


def option(trace: Trace, where: str, cls: type[Op], value: Any) -> Any:
    """An option of a node that runs functions: an operand, or a number."""
    mark = cls.fields().operands.get(where.rpartition(".")[2])
    if mark is not None and value is not None:
        return operand(trace, where, value, mark)
    return trace.number(where, value)


def validated(trace: Trace, name: str, data: dict[str, Any]) -> Op:
    """The node as an Op.

    Raises:
        SpecError: every field of it that is not as it should be.
    """
    key = data["op"]
    if definition(key) in registered():
        return registered_node(f"{trace.path}.{name}", data)
    cls = op_class(key)
    assert cls is not None
    try:
        return cls.model_validate(data)
    except ValidationError:
        return _parsed(trace, name, data)


def _parsed(trace: Trace, name: str, data: dict[str, Any]) -> Op:
    """The node as the reader of files has it, whose errors name the field."""
    function = {"nodes": {name: data}, "outputs": {"x": name}}
    content = {"format": FORMAT, "name": "model", "functions": {trace.name: function}}
    try:
        return Graph.parse(content).functions[trace.name].nodes[name]
    except SpecError as error:
        start = f"functions.{trace.name}.nodes.{name}"
        raise SpecError(
            replace(d, path=d.path.replace(start, f"{trace.path}.{name}", 1))
            for d in error.diagnostics
        ) from None


def _filled(trace: Trace, name: str, op: Op, raw: dict[str, Any]) -> Op:
    """The op with sizes that it lacks taken from what flows in.

    Not where no parameter needs them, nor where the path that it is tied to knows them.
    """
    lacking = op.lacking() if isinstance(op, ParamOp) else set()
    if not lacking:
        return op
    scope = op.scope(name)
    tied = "params" in raw and all(
        (*scope, *([n] if n else [])) in trace.leaves for n in op.stored()
    )
    if tied:
        return op
    found: dict[str, int] = {}
    for field, mark in op.fields().sizes:
        given = next(values_in(raw.get(mark.of)), None)
        axis = op.value_of(mark.axis)
        if field not in lacking or field in found or given is None or not given.sizes:
            continue
        if type(axis) is int and -len(given.sizes) <= axis < len(given.sizes):
            size = given.sizes[axis]
            if isinstance(size, int):
                found[field] = plain(size)
                raw[field] = size
    return op.unchecked_copy(**found) if found else op


def _resolved(trace: Trace, name: str, op: Op) -> Op:
    """The op with its index taken apart, its problems raised."""
    try:
        result = op.resolve({}, partial=True)
    except ExpressionError as error:
        trace.fault(name, f"{op.op}: {error}")
    for field, text in result.expressions():
        for used in names(text):
            if used not in trace.dims:
                trace.fault(
                    f"{name}.{field}",
                    f"expected a size that {trace.name} has a name for, found one that "
                    "only a caller knows",
                    "pass a value with an axis of that size",
                )
    problems = list(result.problems())
    if problems:
        raise SpecError(p.at(f"{trace.path}.{name}") for p in problems)
    return result


def _stored(
    trace: Trace, name: str, op: Op, raw: Mapping[str, Any]
) -> dict[str, Stored]:
    """The arrays that the node keeps, with the expressions of their sizes."""
    found: dict[str, Stored] = {}
    scope = op.scope(name)
    leaves = op.stored() if isinstance(op, ParamOp) else {}
    for field, text in op.undecided() if leaves else ():
        trace.fault(
            f"{name}.{field}",
            f"{op.op}: expected a size that no dim decides, found {quote(text)}",
        )
    for leaf_name, leaf in leaves.items():
        path = (*scope, *([leaf_name] if leaf_name else []))
        there = trace.leaves.get(path)
        sizes: tuple[Any, ...] = leaf.shape
        if None in sizes and there is not None and len(there.sizes) == len(sizes):
            sizes = tuple(
                b if a is None else a for a, b in zip(sizes, there.sizes, strict=True)
            )
        if None in sizes:
            lacking = [n for n in op.fields().minima if n in op.lacking()]
            trace.fault(
                name,
                f"{op.op}: expected {' and '.join(lacking) or 'sizes'}, found "
                "nothing, and what flows in does not tell",
                "give " + " and ".join(f"{n}=" for n in lacking) if lacking else "",
            )
        leaf = replace(leaf, shape=tuple(map(plain, sizes)))
        found[leaf_name] = Stored(_with_expressions(sizes, raw), leaf)
    return found


def _with_expressions(sizes: Sequence[Any], raw: Mapping[str, Any]) -> tuple[Any, ...]:
    """Sizes of an array, those as the fields of the node say them that are equal."""
    given = [
        part
        for field in raw.values()
        for part in (field if isinstance(field, list) else [field])
        if isinstance(part, Size)
    ]
    return tuple(
        size if isinstance(size, Size) else next((g for g in given if g == size), size)
        for size in sizes
    )


def _inferred(node: Written, name: str) -> list[Known]:
    """What the engine says that the node gives; of a key that only training draws, that.

    Raises:
        ModelError: it does not take what flows in.
    """
    trace, op, engine = node.trace, node.op, node.trace.session.engine
    leaves = {n: kept.leaf for n, kept in node.stored.items()}
    kind: Kind = engine.kind(op, args_of(op), leaves.get("", leaves))
    given = tuple(value.known for value in node.values)
    found = engine.outcome(kind, given, trace.sizes, Lane())
    raise_decided(trace, name, op.op, found.fault)
    if op.TRAIN and found.fault is None:
        training = engine.outcome(kind, given, trace.sizes, Lane(train=True))
        raise_decided(trace, name, op.op, training.fault)
        found = training if None in found.outputs else found
    return [v if v is not None else engine.values.lost() for v in found.outputs]


def raise_decided(trace: Trace, name: str, op: str, fault: Fault | None) -> None:
    """Raises a fault; one that JAX can't decide is left to the check of the Graph."""
    if fault is None or not fault.decided or fault.code == "shape-undecided":
        return
    if trace.is_recorded and rounding_hint(fault.message):
        return  # sound as it was read: sizes that are equal may be written otherwise
    where = f"{trace.path}.{name}" + (f".{fault.field}" if fault.field else "")
    text = f"{op}: {fault.message}" if op else fault.message
    raise ModelError(Diagnostic(fault.code, where, text, fault.hint))
