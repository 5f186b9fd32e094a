"""Ops that are no core ops, resolved: as a call of their body, or as what is registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ..content import Content, Function
from ..custom import Custom
from ..diagnostics import Report, SpecError, listing, quote
from ..fields import Scalar, Value
from ..op import Op
from ..registry import definition, op_class
from .program import Program
from .trees import flatten

G = TypeVar("G", bound=Content)
Resolve = Callable[[Content, Content, Report], "tuple[Program | None, Report]"]
"""Resolves a Graph, which is the second one with other nodes in place of some."""


def has_custom(graph: Content) -> bool:
    """True where a Graph has an op that is no core op, or a body of one."""
    return bool(graph.ops) or any(
        isinstance(op, Custom)
        for function in graph.functions.values()
        for op in function.nodes.values()
    )


def resolve_custom(graph: Content, resolve: Resolve) -> tuple[Program | None, Report]:
    """The Program of such a Graph.

    The body is the meaning: the file is checked by its bodies, whatever is registered.
    What is registered runs, if it has the parameters of the body.
    """
    report = Report()
    check_bodies(graph, report)
    plain = _replaced(graph, report, bodies=graph.ops)
    if not report.ok:
        return None, report
    program, report = resolve(plain, graph, report)
    if program is None:
        return None, report
    for key, name in graph.ops.items():
        made = (i for i in program.instances if i.name == name)
        if any(leaf.kind == "state" for i in made for _, leaf in flatten(i.tree)):
            report.error(
                "op-body",
                f"ops.{key}",
                f"expected a body without state, found some in {name}",
            )
    here = {k: v for k, v in graph.ops.items() if definition(k) is None}
    if here == dict(graph.ops) or not report.ok:
        return (program if report.ok else None), report
    own = _replaced(graph, report, bodies=here)
    if not report.ok:
        return None, report
    registered, report = resolve(own, graph, report)
    if registered is not None:
        _check_parameters(program, registered, report)
    return (registered if report.ok else None), report


def with_bodies(graph: G) -> G:
    """The Graph with a call of its body for every op that has one.

    Raises:
        SpecError: a body that does not fit.
    """
    report = Report()
    check_bodies(graph, report)
    found = _replaced(graph, report, bodies=graph.ops)
    if not report.ok:
        raise SpecError(report.errors)
    return found


def check_bodies(graph: Content, report: Report) -> None:
    """Every body is a function of the Graph, of tensors."""
    for key, name in graph.ops.items():
        function = graph.functions.get(name)
        if function is None:
            report.error(
                "op-body",
                f"ops.{key}",
                f"expected the name of a function, found {quote(name)}",
                f"functions are {listing(graph.functions)}",
            )
        elif keys := [n for n, i in function.inputs.items() if i.dtype == "key"]:
            report.error(
                "op-body",
                f"ops.{key}",
                f"expected a body without keys, found the input {keys[0]} of {name}",
            )
        elif lists := [n for n, i in function.inputs.items() if i.copies is not None]:
            report.error(
                "op-body",
                f"ops.{key}",
                f"expected a body without lists, found the input {lists[0]} of {name}",
            )


def _check_parameters(body: Program, registered: Program, report: Report) -> None:
    wanted = {p: (v.full_shape, v.dtype, v.kind) for p, v in body.leaves().items()}
    found = {p: (v.full_shape, v.dtype, v.kind) for p, v in registered.leaves().items()}
    for path in {**wanted, **found}:
        a, b = wanted.get(path), found.get(path)
        if a != b:
            report.error(
                "op-body",
                path,
                "expected the registered op to have the parameters of its body "
                f"({_shown(a)}), found {_shown(b)}",
            )


def _shown(leaf: tuple[tuple[int, ...], str, str] | None) -> str:
    return "none" if leaf is None else f"{leaf[1]} {leaf[2]} {list(leaf[0])}"


def _replaced(graph: G, report: Report, bodies: dict[str, str]) -> G:
    """The Graph with calls, or registered ops, in place of ops that are no core ops."""
    functions: dict[str, Function] = {}
    for name, function in graph.functions.items():
        nodes = dict(function.nodes)
        for node, op in function.nodes.items():
            if isinstance(op, Custom):
                path = f"{name}.{node}"
                nodes[node] = _meaning(graph, path, op, report, bodies)
        changed = any(a is not b for a, b in zip(
            nodes.values(), function.nodes.values(), strict=True
        ))  # fmt: skip
        functions[name] = function.unchecked_copy(nodes=nodes) if changed else function
    return graph.unchecked_copy(functions=functions)


def _meaning(
    graph: Content, path: str, op: Custom, report: Report, bodies: dict[str, str]
) -> Op:
    body = graph.functions.get(bodies.get(op.op, ""))
    if body is not None:
        return _call(path, op, bodies[op.op], body, report)
    if op.op in bodies:
        return op  # reported with the body
    if op_class(op.op) is None:
        report.error(
            "op-unregistered",
            f"{path}.op",
            'expected an op that is registered here or has a body in "ops", found '
            f"{quote(op.op)}",
            "import the package that registers it",
        )
        return op
    try:
        return registered_node(path, op.plain())
    except SpecError as error:
        for found in error.diagnostics:
            report.add(found)
    return op


def registered_node(path: str, data: dict[str, Any]) -> Op:
    """The node of a registered op from plain data.

    Raises:
        SpecError: every faulty field.
    """
    cls = op_class(data["op"])
    assert cls is not None
    try:
        return cls.model_validate(data)
    except ValidationError as error:
        from ..parse.pydantic_errors import field_diagnostics

        function, _, node = path.partition(".")
        where = ("functions", function, "nodes", node)
        whole = {"functions": {function: {"nodes": {node: data}}}}
        raise SpecError(field_diagnostics(error, whole, where)) from None


def _call(path: str, op: Custom, name: str, body: Function, report: Report) -> Op:
    """A call of a body: operands by input name, attributes by attribute name."""
    inputs: dict[str, Any] = {}
    attributes: dict[str, Any] = {}
    for field, value in op.given.items():
        where = f"{path}.{field}"
        if field in body.inputs:
            inputs[field] = value
            _check(Value, where, value, report)
        elif field in body.attributes:
            attributes[field] = value
            hint = "an op whose attributes are text or lists has no body"
            _check(Scalar, where, value, report, hint)
        elif field != "params":
            have = listing([*body.inputs, *body.attributes, "params"])
            report.error(
                "field-unknown",
                where,
                f"expected an input or an attribute of {name} ({have})",
            )
    cls = op_class("call")
    assert cls is not None
    given = {"function": name, "inputs": inputs, "attributes": attributes}
    try:
        return cls.model_validate({"op": "call", **given, **_params(op)})
    except ValidationError:
        if report.ok:
            where = f"{path}.params"
            report.error("field-value", where, "expected `.` or a parameter path")
        return op


def _params(op: Custom) -> dict[str, Any]:
    return {"params": op.given["params"]} if "params" in op.given else {}


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _check(kind: Any, path: str, value: Any, report: Report, hint: str = "") -> None:
    try:
        _adapter(kind).validate_python(value)
    except ValidationError as error:
        text = error.errors(include_url=False, include_input=False)[0]["msg"]
        report.error("field-value", path, f"{text}, found {quote(value)}", hint)


def custom_ops(graph: Content) -> Iterator[str]:
    """The names of the ops in a Graph that are no core ops."""
    for function in graph.functions.values():
        for op in function.nodes.values():
            if isinstance(op, Custom):
                yield op.op
