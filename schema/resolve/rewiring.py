"""References and called functions in the plain data of nodes, read and put in anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from ..callee import Callee
from ..fields import is_expression
from ..names import MAX_NAME, RESERVED, name_of
from ..op import ScopeOp
from ..registry import CUSTOM, op_class

Data = dict[str, Any]


def rewired(function: Data, graph: Data, new: Callable[[str], str]) -> Data:
    """A function whose nodes and outputs have other references.

    Args:
        function: as plain data.
        graph: the whole of it, whose `ops` say which fields of their nodes are operands.
        new: the reference in place of one, `name` or `name.output`.
    """
    nodes = {
        name: rewired_node(node, graph, new)
        for name, node in function.get("nodes", {}).items()
    }
    outputs = {
        name: {**said, "value": new(said["value"])}
        if isinstance(said, dict)
        else new(said)
        for name, said in function["outputs"].items()
    }
    return {**function, "nodes": nodes, "outputs": outputs}


def rewired_node(node: Data, graph: Data, new: Callable[[str], str]) -> Data:
    """A node with other references."""
    fields = {*operands_of(node, graph)}
    return {n: _mapped(v, new) if n in fields else v for n, v in node.items()}


def operands_of(node: Data, graph: Data) -> Iterator[str]:
    """The fields of a node that may have references."""
    cls = op_class(node["op"])
    if cls is not None:
        known = cls.fields()
        for name in (*known.operands, *known.slots):
            yield cls.model_fields[name].alias or name
    elif body := graph.get("ops", {}).get(node["op"]):
        yield from graph["functions"][body].get("inputs", {})


def _mapped(value: Any, new: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return value if is_expression(value) else new(value)
    if isinstance(value, list):
        return [_mapped(part, new) for part in value]
    if isinstance(value, dict):
        return {name: _mapped(part, new) for name, part in value.items()}
    return value


def callees_of(node: Data) -> tuple[Callee, ...]:
    """The functions that a node runs, but for a body of its op."""
    cls = None if CUSTOM.fullmatch(node["op"]) else op_class(node["op"])
    if cls is None or not issubclass(cls, ScopeOp):
        return ()
    return cls.model_validate(node).callees()


def with_callee(node: Data, callee: Callee, function: str) -> Data:
    """A node that runs another function in place of one."""
    field, _, number = callee.field.partition(".")
    if not number:
        return {**node, field: function}
    listed = [*node[field]]
    listed[int(number)] = function
    return {**node, field: listed}


def uses(graph: Data, function: str) -> int:
    """How many there are that a change of a function would change: nodes that run it,
    entries, ops whose body it is."""
    count: int = [*graph.get("ops", {}).values()].count(function)
    count += graph.get("entries", ["main"]).count(function)
    for other in graph["functions"].values():
        for node in other.get("nodes", {}).values():
            count += sum(c.function == function for c in callees_of(node))
    return count


def with_function(graph: Data, after: str, name: str, function: Data) -> None:
    """Puts a function behind another one."""
    found: Data = {}
    for known, there in graph["functions"].items():
        found[known] = there
        if known == after:
            found[name] = function
    graph["functions"] = found


def free_name(wanted: str, *taken: Collection[str]) -> str:
    """A name that is not taken, `wanted` if it may be."""
    used = {*RESERVED}.union(*taken)
    name, count = name_of(wanted), 1
    while name in used:
        count += 1
        name = name_of(f"{wanted[: MAX_NAME - 8]}_{count}")
    return name


def function_name(graph: Data, wanted: str) -> str:
    """A name for one more function: apart from functions, ops and the model."""
    nodes = (f.get("nodes", {}).values() for f in graph["functions"].values())
    ops = {node["op"] for each in nodes for node in each}
    return free_name(wanted, graph["functions"], ops, [graph["name"]])


def output_names(node: Data, functions: Mapping[str, Data]) -> list[str]:
    """The names of what a node that runs functions gives."""
    return list(functions[callees_of(node)[-1].function]["outputs"])
