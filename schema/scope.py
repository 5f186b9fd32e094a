"""Checks of a function as it is written: names, references, call order, cycles."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .errors import Report, quote
from .expressions import names as expression_names
from .graph import Function, Graph, split_constraint
from .limits import MAX_CALL_DEPTH
from .names import NAME, RESERVED
from .op import Op, ScopeOp
from .registry import op_names


def called(op: Op) -> Iterator[tuple[str, str]]:
    """(field, function name) for every function that a node runs."""
    if isinstance(op, ScopeOp):
        for field in ("function", "then", "otherwise", "cond", "body"):
            name = getattr(op, field, None)
            if name is not None:
                yield field, name


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
                "name-twice", f"dims.{name}", "this name is an attribute already"
            )
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
        if graph.entries.index(entry) != i:
            report.error("entry-twice", path, f"{quote(entry)} is listed already")
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
        for field, value in bounds:
            if isinstance(value, str):
                if not value.startswith("$"):
                    report.error(
                        "expression",
                        f"dims.{name}.{field}",
                        f"expected an integer or an expression, found {quote(value)}",
                    )
                    continue
                for used in expression_names(value):
                    if used not in graph.attributes:
                        report.error(
                            "expression",
                            f"dims.{name}.{field}",
                            f"no attribute of the graph is named {quote(used)}",
                        )
    for i, text in enumerate(graph.constraints):
        left, _, right = split_constraint(text)
        for used in (*expression_names(left), *expression_names(right)):
            if used not in known:
                report.error(
                    "expression",
                    f"constraints.{i}",
                    f"no attribute, and no dim of an entry, is named {quote(used)}",
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
                    f"{quote(dim)} is an attribute",
                    f"write {quote('$' + dim)} for its value",
                )
            elif dim in RESERVED:
                report.error(
                    "name-reserved",
                    path,
                    f"{quote(dim)} shadows a name; choose another",
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
                f"dim {quote(dim)} is bound by an optional input only",
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
                        f"functions are {quote(', '.join(graph.functions))}",
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
            callee = next((c for c in rest if c not in depth or c in active), None)
            if callee is None:
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
