"""What Python functions return, as the named outputs of functions of the Graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from blox.schema import op_class
from blox.schema.diagnostics import quote

from .literals import is_literal
from .trace import Node, Trace
from .values import Described, Outputs, Value, Values, like, values_in

SINGLE = "out"
"""The name of the one output of a function that returns a bare value."""


def finish(trace: Trace, result: Any, numbers: bool = False) -> None:
    """Names what a function returned, and drops unnamed nodes that nothing uses.

    Args:
        numbers: True where numbers among the outputs are looked at later, by `check`.

    Raises:
        SpecError: what is returned is no value, dict or tuple of values.
    """
    result, described = _split(result)
    if described and trace.parent is None:
        trace.described = described
    trace.result = result
    if numbers and is_literal(result):
        trace.outputs = {SINGLE: result}
        return
    trace.outputs = _named(trace, result)
    if not numbers:
        check(trace)
        _drop_unused(trace)


def _split(result: Any) -> tuple[Any, dict[str, Described]]:
    """What was returned as values, and what is said of some, by output name."""
    if isinstance(result, Described):
        return result.value, {SINGLE: result}
    if isinstance(result, dict):
        said = {str(n): v for n, v in result.items() if isinstance(v, Described)}
        plain = {n: _value(v) for n, v in result.items()}
        return plain, said
    if isinstance(result, (tuple, list)) and any(
        isinstance(v, Described) for v in result
    ):
        said = {n: v for n, v in _by_name(result).items() if isinstance(v, Described)}
        return rebuilt(result, tuple(map(_value, result))), said
    return result, {}


def _value(given: Any) -> Any:
    return given.value if isinstance(given, Described) else given


def _by_name(result: Sequence[Any]) -> dict[str, Any]:
    names = getattr(result, "_fields", None)
    names = names or [f"out_{i}" for i in range(len(result))]
    return dict(zip(names, result, strict=True))


def check(trace: Trace) -> None:
    """Checks that all outputs are values of the function."""
    for name, value in trace.outputs.items():
        where = f"outputs.{name}"
        if isinstance(value, (tuple, list, dict)):
            trace.fault(
                where,
                f"expected a value of {trace.name}, found a {type(value).__name__} in "
                "what is returned",
                'outputs have one level: return {"x": x, "k": k}',
            )
        if not isinstance(value, Value) or value.trace is not trace:
            foreign = isinstance(value, Value)
            trace.fault(
                where,
                f"expected a value of {trace.name}, found {quote(value)}",
                "functions close over nothing: pass it as an input" if foreign else "",
            )
        if value.optional:
            trace.fault(
                where,
                "expected a value that is always there, found "
                f"{value.reference}, which is optional",
                "give it a value by f.default",
            )


def _drop_unused(trace: Trace) -> None:
    used = set()
    todo = [v.reference for v in trace.outputs.values()]
    todo += [n for n, node in trace.nodes.items() if _stays(node)]
    while todo:
        name = todo.pop().partition(".")[0]
        if name not in used:
            used.add(name)
            if name in trace.nodes:
                flowing = values_in(trace.nodes[name].fields)
                todo += [v.reference for v in flowing]
    trace.nodes = {n: node for n, node in trace.nodes.items() if n in used}


def _stays(node: Node) -> bool:
    """True of a node that a user has named, or that updates state."""
    cls = op_class(node.op)
    return not node.unnamed or (cls is not None and bool(cls.ASSIGNS))


def _named(trace: Trace, result: Any) -> dict[str, Any]:
    match result:
        case Value():
            return {SINGLE: result}
        case dict() if result:
            return {str(name): value for name, value in result.items()}
        case Values():
            return dict(zip(result.names, result, strict=True))
        case tuple() | list() if result:
            return _by_name(result)
    trace.fault(
        "",
        "expected a Value, a dict or a tuple of them to be returned, found "
        f"{quote(result) if result in ((), {}, []) else type(result).__name__}",
        "return what comes of it" if result is None else 'return {"x": x, "k": k}',
    )


def rebuilt(result: Any, values: tuple[Value, ...]) -> Any:
    """`values` nested as the function returned its own."""
    if isinstance(result, Value) or (isinstance(result, Outputs) and len(result) == 1):
        return values[0]
    if isinstance(result, dict):
        return dict(zip(result, values, strict=True))
    return like(result, values)
