"""Checks of a function as it is written: names, call order, cycles."""

from __future__ import annotations

from collections.abc import Iterator

from ..content import Content
from ..diagnostics import Report, listing, quote
from ..limits import MAX_CALL_DEPTH
from ..registry import definition


def check_names(graph: Content, report: Report) -> None:
    """Names that would shadow an op, each other, or mean two things at once."""
    keys = {n.op for f in graph.functions.values() for n in f.nodes.values()}
    ops = {d.python_name for d in map(definition, keys) if d and d.is_core}
    for kind, names in (("name", [graph.name]), ("functions", graph.functions)):
        for name in names:
            if name in ops:
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
            lacking = [p for p in ("shape", "dtype") if getattr(given, p) is None]
            if lacking:
                report.error(
                    "entry-input",
                    f"{entry}.inputs.{name}",
                    "expected a shape and a dtype, as this is an input of an entry, "
                    f"found no {' and no '.join(lacking)}",
                    "write {'shape': ['batch', 8], 'dtype': 'float'}, or what is meant",
                )


def check_attributes(graph: Content, name: str, report: Report) -> None:
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


def call_order(graph: Content, report: Report) -> list[str]:
    """The functions, callees first; cycles and chains too deep are reported."""
    edges: dict[str, list[str]] = {}
    for name, function in graph.functions.items():
        edges[name] = []
        for node_name, node in function.nodes.items():
            for callee in node.callees():
                if callee.function in graph.functions:
                    edges[name].append(callee.function)
                else:
                    report.error(
                        "function-unknown",
                        f"{name}.{node_name}.{callee.field}",
                        "expected the name of a function, found "
                        f"{quote(callee.function)}",
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
            found = next((c for c in rest if c not in depth or c in active), "")
            if not found:
                stack.pop()
                active.discard(name)
                depth[name] = 1 + max((depth[c] for c in edges[name]), default=0)
                order.append(name)
            elif found in active:
                report.error(
                    "cycle",
                    name,
                    f"expected calls without a cycle, found one through {found}",
                )
                return []
            else:
                stack.append((found, iter(edges[found])))
                active.add(found)
    deepest = max(depth, key=lambda n: depth[n], default="")
    if deepest and depth[deepest] > MAX_CALL_DEPTH:
        report.error(
            "call-depth",
            deepest,
            f"expected calls at most {MAX_CALL_DEPTH} deep, found {depth[deepest]}",
        )
        return []
    return order
