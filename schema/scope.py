"""Checks of a function as it is written: names, references, call order, cycles."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from .errors import Report, listing, quote
from .expressions import ExpressionError, evaluate
from .expressions import names as expression_names
from .graph import Bounds, Function, Graph, split_constraint
from .limits import MAX_CALL_DEPTH
from .names import NAME, RESERVED
from .op import Op, ScopeOp
from .registry import op_names

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


def called(op: Op) -> Iterator[tuple[str, str]]:
    """(field, function name) for every function that a node runs."""
    if isinstance(op, ScopeOp):
        for field in _function_fields(type(op)):
            yield field, getattr(op, field)


@lru_cache(maxsize=None)
def _function_fields(cls: type[ScopeOp]) -> tuple[str, ...]:
    wanted = ("function", "then", "otherwise", "cond", "body")
    return tuple(name for name in wanted if name in cls.model_fields)


def check_names(graph: Graph, report: Report) -> None:
    """Names that would shadow an op, each other, or mean two things at once."""
    used = {n.op for f in graph.functions.values() for n in f.nodes.values()}
    core = set(op_names())
    for kind, names in (("name", [graph.name]), ("functions", graph.functions)):
        for name in names:
            if name in used and name in core:
                where = kind if kind == "name" else name
                report.error(
                    "name-shadows",
                    where,
                    f"expected a name that is no op of this file, found {quote(name)}",
                    "choose another name",
                )
    if graph.name in graph.functions:
        report.error(
            "name-shadows",
            "name",
            "expected a name that no function has, found the model's own name",
            "rename the function or the model",
        )
    for name in graph.dims:
        if name in graph.attributes:
            report.error(
                "name-twice",
                f"dims.{name}",
                "expected a new name, found that of an attribute",
            )
    seen: set[str] = set()
    for i, entry in enumerate(graph.entries):
        path = f"entries.{i}"
        function = graph.functions.get(entry)
        if function is None:
            report.error(
                "entry-unknown",
                path,
                f"expected the name of a function, found {quote(entry)}",
            )
            continue
        if entry in seen:
            report.error(
                "entry-twice", path, f"expected each entry once, found {quote(entry)}"
            )
        seen.add(entry)
        if function.attributes:
            report.error(
                "entry-attributes",
                entry,
                "expected an entry without attributes of its own",
                "use attributes of the graph, or call it from another entry",
            )
        for name, given in function.inputs.items():
            if given.shape is None or given.dtype is None:
                report.error(
                    "entry-input",
                    f"{entry}.inputs.{name}",
                    "expected a shape and a dtype, as this is an input of an entry",
                )


def check_attributes(graph: Graph, name: str, report: Report) -> None:
    """A function's attributes are keyword arguments beside its inputs."""
    function = graph.functions[name]
    seen: set[str] = set()
    for attribute in function.attributes:
        other = (
            "an attribute of the graph"
            if attribute in graph.attributes
            else "an input"
            if attribute in function.inputs
            else "another attribute"
            if attribute in seen
            else None
        )
        if other is not None:
            report.error(
                "name-twice",
                f"{name}.attributes",
                f"expected a new name, found {quote(attribute)}, which is {other}",
            )
        seen.add(attribute)


def check_constraints(graph: Graph, report: Report) -> None:
    """Bounds and constraints speak of dims of entries and attributes of the graph."""
    known = set(graph.attributes)
    for entry in graph.entries:
        function = graph.functions.get(entry)
        for given in function.inputs.values() if function else ():
            known.update(d for d in given.shape or () if is_dim_name(d))
    for name, bounds in graph.dims.items():
        if name not in known:
            report.error(
                "dim-unknown",
                f"dims.{name}",
                "expected a dim that the shape of an entry's input binds",
            )
        _check_bounds(graph, name, bounds, report)
    for i, text in enumerate(graph.constraints):
        left, sign, right = split_constraint(text)
        path = f"constraints.{i}"
        used = (*expression_names(left), *expression_names(right))
        for name in used:
            if name not in known:
                report.error(
                    "expression",
                    path,
                    "expected attributes and dims of entries, found "
                    f"{quote(name)}, which is neither",
                )
        if any(name not in graph.attributes for name in used):
            continue
        try:
            a, b = (evaluate(t, graph.attributes, "float") for t in (left, right))
        except ExpressionError as error:
            report.error("expression", path, str(error))
            continue
        if not COMPARISONS[sign](a, b):
            report.error(
                "constraint", path, f"expected {quote(text)}, found {a} and {b}"
            )


def _check_bounds(graph: Graph, name: str, bounds: Bounds, report: Report) -> None:
    values: dict[str, int] = {}
    for field, value in bounds:
        path = f"dims.{name}.{field}"
        if value is None:
            continue
        try:
            if isinstance(value, str):
                value = evaluate(value, graph.attributes)
        except ExpressionError as error:
            report.error("expression", path, str(error))
            continue
        values[field] = value
        low = 1 if field == "multiple_of" else 0
        if value < low:
            report.error("bounds", path, f"expected at least {low}, found {value}")
    if values.get("min", 0) > values.get("max", values.get("min", 0)):
        report.error(
            "bounds",
            f"dims.{name}",
            f"expected min to be at most max, found {values['min']} and "
            f"{values['max']}",
        )


def is_dim_name(dim: object) -> bool:
    return isinstance(dim, str) and dim != "_" and re.fullmatch(NAME, dim) is not None


def bind_dims(
    graph: Graph, name: str, function: Function, report: Report
) -> dict[str, tuple[str, int]]:
    """Where each dim of a function is bound: the first input that must be there."""
    dims: dict[str, tuple[str, int]] = {}
    attributes = {*graph.attributes, *function.attributes}
    optional_only: dict[str, str] = {}
    for input_name, given in function.inputs.items():
        shape = given.shape or []
        path = f"{name}.inputs.{input_name}.shape"
        if shape.count("...") > 1:
            report.error("shape", path, "expected `...` at most once")
            continue
        after = shape.index("...") if "..." in shape else len(shape)
        for axis, dim in enumerate(shape):
            if not is_dim_name(dim):
                continue
            if dim in attributes:
                report.error(
                    "name-twice",
                    path,
                    f"expected the name of a dim, found the attribute {quote(dim)}",
                    f"write {quote('$' + dim)} for its value",
                )
            elif dim in RESERVED:
                report.error(
                    "name-reserved",
                    path,
                    f"expected a name that shadows nothing, found {quote(dim)}",
                    "choose another name",
                )
            elif given.optional:
                optional_only.setdefault(dim, path)
            else:
                dims.setdefault(
                    dim, (input_name, axis if axis < after else axis - len(shape))
                )
    for dim, path in optional_only.items():
        if dim not in dims:
            report.error(
                "dim-optional",
                path,
                f"expected an input that is always there to bind {quote(dim)}, found "
                "optional ones only",
                "write `_`, or let an input that is always there bind it",
            )
    return dims


def call_order(graph: Graph, report: Report) -> list[str]:
    """The functions, callees first; cycles and chains that are too deep are reported."""
    edges: dict[str, list[str]] = {}
    for name, function in graph.functions.items():
        edges[name] = []
        for node_name, node in function.nodes.items():
            for field, callee in called(node):
                if callee in graph.functions:
                    edges[name].append(callee)
                else:
                    report.error(
                        "function-unknown",
                        f"{name}.{node_name}.{field}",
                        f"expected the name of a function, found {quote(callee)}",
                        f"functions are {listing(graph.functions)}",
                    )
    depth: dict[str, int] = {}
    order: list[str] = []
    for root in edges:
        stack: list[tuple[str, Iterator[str]]] = []
        active: set[str] = set()
        if root not in depth:
            stack.append((root, iter(edges[root])))
            active.add(root)
        while stack:
            name, rest = stack[-1]
            callee = next((c for c in rest if c not in depth or c in active), "")
            if not callee:
                stack.pop()
                active.discard(name)
                depth[name] = 1 + max((depth[c] for c in edges[name]), default=0)
                order.append(name)
            elif callee in active:
                report.error(
                    "cycle",
                    name,
                    f"expected calls without a cycle, found one through {callee}",
                )
                return []
            else:
                stack.append((callee, iter(edges[callee])))
                active.add(callee)
    deepest = max(depth, key=lambda n: depth[n], default="")
    if deepest and depth[deepest] > MAX_CALL_DEPTH:
        report.error(
            "call-depth",
            deepest,
            f"expected calls at most {MAX_CALL_DEPTH} deep, found {depth[deepest]}",
        )
        return []
    return order
