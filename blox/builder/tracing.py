"""Python functions as functions of a Graph: traced with what flows into them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from blox.schema import SpecError
from blox.schema.errors import Diagnostic, quote
from blox.schema.expressions import names
from blox.schema.fields import is_expression
from blox.schema.graph import dump_node
from blox.schema.names import is_name
from blox.schema.ops.index import FAMILIES

from .binding import bind_shape
from .values import Flow, Input, Value, Values

if TYPE_CHECKING:
    from .graphs import GraphBuilder
    from .writer import Leaves, Writer

CONTROL = frozenset(FAMILIES["control"])
SINGLE = "out"
"""The name of the one output of a function that returns a bare value."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A Python function's parameters after the builder: inputs, and attributes, which
    are keyword-only; those with a default may be left out."""

    name: str
    inputs: tuple[str, ...]
    attributes: tuple[str, ...]
    defaults: Mapping[str, Any]


@dataclass(slots=True)
class Record:
    """A function of the Graph, as far as it is written."""

    name: str
    doc: str
    attributes: list[str]
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    bare: bool = False
    """It returns one value without a name, which a loop may name as it needs."""

    def callees(self) -> list[str]:
        """The functions that its nodes run, in order of first use."""
        found = [
            node[key]
            for node in self.nodes.values()
            for key in ("function", "then", "else", "cond", "body")
            if node["op"] in CONTROL and key in node
        ]
        return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Traced:
    """What a call of a function gives: flows by output name, and its arrays."""

    record: Record
    outputs: dict[str, Flow]
    leaves: Leaves
    result: Any
    """What the Python function returned: a value, a dict or a named tuple of values."""


def signature(function: Callable[..., Any]) -> Signature:
    """The name, inputs and attributes of a spec function.

    Raises:
        SpecError: it has no usable name, or parameters that no spec function has.
    """
    name = getattr(function, "__name__", "")
    if not is_name(name):
        raise _fault(
            quote(name or function),
            "expected a Python function with a name of its own, found "
            f"{quote(name or type(function).__name__)}",
            "write it with def",
        )
    parameters = list(inspect.signature(function).parameters.values())
    if not parameters:
        raise _fault(name, "expected a first parameter f, which gets the builder")
    inputs, attributes, defaults = [], [], {}
    for parameter in parameters[1:]:
        match parameter.kind:
            case parameter.POSITIONAL_OR_KEYWORD | parameter.POSITIONAL_ONLY:
                inputs.append(parameter.name)
            case parameter.KEYWORD_ONLY:
                attributes.append(parameter.name)
            case _:
                raise _fault(name, f"expected named parameters only, found {parameter}")
        if parameter.default is not parameter.empty:
            defaults[parameter.name] = parameter.default
    return Signature(name, tuple(inputs), tuple(attributes), defaults)


def trace(
    graph: GraphBuilder,
    function: Callable[..., Any],
    flows: Mapping[str, Flow],
    own: Mapping[str, int | float],
) -> Traced:
    """Runs a Python function on what flows in, and records or compares its nodes.

    Raises:
        SpecError: it was traced before and now writes other nodes.
    """
    form = signature(function)
    key = (function, tuple(repr(f) for f in flows.values()), tuple(own.items()))
    found = graph.traced.get(key)
    if found is not None:
        return found
    if form.name in graph.active:
        chain = " -> ".join([*graph.active, form.name])
        raise _fault(form.name, f"expected calls without a cycle, found {chain}")
    before = graph.records.get(form.name)
    if before is None:
        # Its place in the file: before the functions that it calls.
        graph.records[form.name] = Record(form.name, "", [])
    graph.active.append(form.name)
    try:
        made = _run(graph, function, form, flows, own)
    except BaseException:
        if before is None:
            del graph.records[form.name]
        raise
    finally:
        graph.active.pop()
    if before is None:
        graph.records[form.name] = made.record
    else:
        _compare(before, made.record)
        made = replace(made, record=before)
    graph.traced[key] = made
    return made


def _run(
    graph: GraphBuilder,
    function: Callable[..., Any],
    form: Signature,
    flows: Mapping[str, Flow],
    own: Mapping[str, int | float],
) -> Traced:
    from .functions import FunctionBuilder
    from .writer import Writer

    # Entries share one tree of parameters; what is called has a scope of its own.
    leaves = graph.leaves if len(graph.active) == 1 else None
    w = Writer(graph, form.name, flows, own, leaves)
    for name, given in graph.inputs.get(form.name, {}).items():
        w.declared[name] = _declared(given)
        if not flows[name].absent and flows[name].kind == "tensor":
            path = f"{form.name}.inputs.{name}"
            bind_shape(path, given.shape, flows[name].shape, w)
    result = function(
        FunctionBuilder(w), *w.inputs.values(), **{n: f"${n}" for n in form.attributes}
    )
    outputs = named_outputs(w, result)
    doc = inspect.getdoc(function) or ""
    record = Record(
        form.name,
        doc.partition("\n\n")[0].replace("\n", " "),
        list(form.attributes),
        {n: {**_input(w.declared[n], flows[n])} for n in _optional_last(flows)},
        {n: dump_node(op) for n, op in w.nodes.items()},
        {n: v.reference for n, v in outputs.items()},
        bare=isinstance(result, Value),
    )
    leaving = {n: _leaving(v.flow, graph, own) for n, v in outputs.items()}
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
    elif isinstance(result, tuple) and hasattr(result, "_asdict"):
        outputs = result._asdict()
    elif isinstance(result, Values):
        outputs = dict(zip(result.names, result, strict=True))
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


def rebuilt(result: Any, values: tuple[Value, ...]) -> Any:
    """`values` in the form that the function returned its own in."""
    if isinstance(result, Value):
        return values[0]
    if isinstance(result, dict):
        return dict(zip(result, values, strict=True))
    if isinstance(result, Values):
        return Values(result.names, values)
    return type(result)(*values)


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


def _leaving(flow: Flow, graph: GraphBuilder, own: Mapping[str, Any]) -> Flow:
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


def entering(flow: Flow, graph: GraphBuilder) -> Flow:
    """A flow without what only the function that it comes from can name."""
    if is_expression(flow.last) and not all(
        n in graph.attributes for n in names(str(flow.last))
    ):
        return replace(flow, last=_number(flow))
    return flow


def _compare(before: Record, now: Record) -> None:
    """Both traces of a function must write one text; inputs may become optional.

    Raises:
        SpecError: naming the first node that differs, and how.
    """
    for name in before.inputs.keys() | now.inputs.keys():
        old, new = before.inputs.get(name), now.inputs.get(name)
        if old is None or new is None:
            raise _differs(before.name, f"input {name} in one of them only")
        optional = old.get("optional") or new.get("optional")
        before.inputs[name] = {**old, **new, **({"optional": True} if optional else {})}
    if any(i.get("optional") for i in before.inputs.values()):
        last = sorted(before.inputs, key=lambda n: "optional" in before.inputs[n])
        before.inputs = {n: before.inputs[n] for n in last}
    for name in [*before.nodes, *now.nodes]:
        a, b = before.nodes.get(name), now.nodes.get(name)
        if a is None or b is None:
            raise _differs(before.name, f"node {name} in one of them only")
        for key in [*a, *b]:
            if a.get(key) != b.get(key):
                raise _differs(
                    before.name, f"{name}.{key} {a.get(key)!r} and {b.get(key)!r}"
                )
    if before.outputs.values() and list(before.outputs.values()) != list(
        now.outputs.values()
    ):
        raise _differs(before.name, "other outputs")
    if list(before.nodes) != list(now.nodes) or before.attributes != now.attributes:
        raise _differs(before.name, "other attributes or another order of nodes")


def _differs(name: str, what: str) -> SpecError:
    return _fault(
        name,
        f"expected the same nodes at every call, found {what}",
        "give what differs as an attribute of the function, a keyword-only parameter: "
        f"def {name}(f, x, *, features); or write two functions of different names",
    )


def _fault(path: str, message: str, hint: str = "") -> SpecError:
    return SpecError(Diagnostic("builder-function", path, message, hint))
