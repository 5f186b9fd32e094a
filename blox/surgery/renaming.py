"""Other names: of nodes, functions, inputs and outputs, attributes, and paths of arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NoReturn, get_args

from blox.schema import Graph, SpecError
from blox.schema.diagnostics import listing, quote
from blox.schema.names import is_name
from blox.schema.resolve import replace
from blox.schema.resolve.program import Step as Run
from blox.schema.resolve.renaming import renamed as with_names
from blox.schema.resolve.rewiring import Data, callees_of, rewired, with_callee

from .moved import moved
from .plan import Step
from .variants import Path, names_of, varied

Kind = Literal["node", "function", "input", "output", "attribute", "path"]


def renamed(graph: Graph, old: str, new: str, kind: Kind | None) -> Step:
    """Something by another name, and all that names it.

    Args:
        graph: the model.
        old: a function, an attribute, `function.node`, an input or output of a function
            (`main.x`), or the path of arrays, `h.attn`.
        new: its name; of a path the whole of it.
        kind: what is meant, where several things are called so.

    Raises:
        SpecError: nothing is called so, or several things, or the new name is taken.
    """
    for text in (old, new):
        if not isinstance(text, str) or not text:
            _fault(old, f"expected two names, found {quote(text)}")
    if kind is not None and kind not in get_args(Kind):
        _fault(
            old, f"expected one of {listing(get_args(Kind))} as kind=, found {kind!r}"
        )
    found = dict(_meanings(graph, old))
    if kind is not None:
        found = {kind: found[kind]} if kind in found else {}
    if len(found) != 1:
        what = "one thing of that name" if found else "a name of the Graph"
        _fault(
            old,
            f"expected {what}, found {listing(found) if found else quote(old)}",
            f'say which by kind="{next(iter(found))}"'
            if found
            else "such as function.node, a function, an attribute, a path of arrays",
        )
    ((meant, change),) = found.items()
    if meant != "path":
        new = new.removeprefix(f"{old.rpartition('.')[0]}.")
        if not is_name(new):
            _fault(old, f"expected a name, found {quote(new)}")
    after = change(new)
    replace.check(after, after.program())
    return Step(graph, after, tuple(moved(graph, after)))


def _meanings(graph: Graph, old: str) -> Iterator[tuple[Kind, Callable[[str], Graph]]]:
    """What is called so, and what gives it another name."""
    before, _, name = old.rpartition(".")
    function = graph.functions.get(before)
    if function is not None and name in function.nodes:
        yield "node", lambda new: _node(graph, before, name, new)
    if function is not None and name in function.inputs:
        yield "input", lambda new: _input(graph, before, name, new)
    if function is not None and name in function.outputs:
        yield "output", lambda new: _output(graph, before, name, new)
    if old in graph.functions:
        yield "function", lambda new: _function(graph, old, new)
    if old in graph.attributes:
        yield "attribute", lambda new: _attribute(graph, old, new)
    leaves = [tuple(path.split(".")) for path in graph.program().leaves()]
    wanted = tuple(old.split("."))
    if any(path[: len(wanted)] == wanted for path in leaves):
        yield "path", lambda new: _path(graph, old, new, lambda path: path)
    elif any(names_of(path)[: len(wanted)] == wanted for path in leaves):
        yield "path", lambda new: _path(graph, old, new, names_of)


def _node(graph: Graph, function: str, old: str, new: str) -> Graph:
    data = graph.plain()
    own = data["functions"][function]
    _expect_free(f"{function}.{old}", new, {**own["nodes"], **own.get("inputs", {})})

    def ref(text: str) -> str:
        name, dot, part = text.partition(".")
        return f"{new}{dot}{part}" if name == old else text

    own = rewired(own, data, ref)
    nodes: Data = {}
    for name, node in own["nodes"].items():
        path = node.get("params", "")
        first, dot, rest = path.partition(".")
        if first == old:  # arrays of the node, which another one shares
            node = {**node, "params": f"{new}{dot}{rest}"}
        nodes[new if name == old else name] = node
    data["functions"][function] = {**own, "nodes": nodes}
    return Graph.parse(data)


def _function(graph: Graph, old: str, new: str) -> Graph:
    data = graph.plain()
    _expect_free(old, new, data["functions"])
    functions: Data = {}
    for name, function in data["functions"].items():
        nodes = {**function.get("nodes", {})}
        for title, node in nodes.items():
            for callee in callees_of(node):
                if callee.function == old:
                    nodes[title] = with_callee(nodes[title], callee, new)
        functions[new if name == old else name] = {**function, "nodes": nodes}
    data["functions"] = functions
    entries = data.get("entries", ["main"])
    data["entries"] = [new if name == old else name for name in entries]
    ops = data.get("ops", {})
    data["ops"] = {op: new if name == old else name for op, name in ops.items()}
    return Graph.parse(data)


def _attribute(graph: Graph, old: str, new: str) -> Graph:
    data = graph.plain()
    taken = [name for f in graph.functions.values() for name in f.attributes]
    taken += [dim for i in graph.program().instances for dim in i.dims]
    _expect_free(old, new, {*graph.attributes, *graph.dims, *taken})
    names = {old: new}
    data["attributes"] = {names.get(n, n): v for n, v in data["attributes"].items()}
    data["functions"] = with_names(data["functions"], names)
    data["dims"] = with_names(data.get("dims", {}), names)
    data["constraints"] = with_names(data.get("constraints", []), names, always=True)
    return Graph.parse(data)


def _input(graph: Graph, function: str, old: str, new: str) -> Graph:
    data = graph.plain()
    own = data["functions"][function]
    _expect_free(f"{function}.{old}", new, {**own["inputs"], **own.get("nodes", {})})
    own = rewired(own, data, lambda ref: new if ref == old else ref)
    own["inputs"] = {new if n == old else n: i for n, i in own["inputs"].items()}
    for said in own["outputs"].values():
        if isinstance(said, dict) and said.get("next") == old:
            said["next"] = new
    data["functions"][function] = own

    def of_call(node: Data) -> Data:
        given = node.get("inputs", {})
        if isinstance(given, list):
            return node
        named = {new if n == old else n: value for n, value in given.items()}
        return {**node, "inputs": named}

    return _with_callers(graph, data, function, f"{function}.{old}", of_call)


def _output(graph: Graph, function: str, old: str, new: str) -> Graph:
    data = graph.plain()
    own = data["functions"][function]
    _expect_free(f"{function}.{old}", new, own["outputs"])
    own["outputs"] = {new if n == old else n: o for n, o in own["outputs"].items()}
    for name, other in data["functions"].items():
        callers = {
            title
            for title, node in other.get("nodes", {}).items()
            if any(callee.function == function for callee in callees_of(node))
        }

        def ref(text: str, callers: set[str] = callers) -> str:
            node, _, part = text.partition(".")
            return f"{node}.{new}" if node in callers and part == old else text

        data["functions"][name] = rewired(other, data, ref)
    return _with_callers(graph, data, function, f"{function}.{old}", lambda node: node)


def _with_callers(
    graph: Graph, data: Data, function: str, path: str, change: Callable[[Data], Data]
) -> Graph:
    """The Graph with every call of a function changed.

    Raises:
        SpecError: something else than a call runs it, and says things by that name.
    """
    if function in graph.ops.values():
        _fault(
            path, f"expected a function of calls, found the body {function} of an op"
        )
    for name, other in data["functions"].items():
        for title, node in other.get("nodes", {}).items():
            if all(callee.function != function for callee in callees_of(node)):
                continue
            if node["op"] != "call":
                _fault(
                    path,
                    f"expected a function that calls alone run, found the {node['op']} "
                    f"{name}.{title}, to which names of inputs and outputs say what is "
                    "carried",
                    "replace the node by edit.replace",
                )
            other["nodes"][title] = change(node)
    return Graph.parse(data)


def _path(graph: Graph, old: str, new: str, spelled: Callable[[Path], Path]) -> Graph:
    """The Graph with arrays elsewhere, by `params` of the nodes that lead there.

    Args:
        graph: the model.
        old: a path of arrays.
        new: the whole of the other one.
        spelled: how `old` says the path of a function: without numbers, of all copies.
    """
    wanted, other = tuple(old.split(".")), tuple(new.split("."))

    def change(path: Path, step: Run, node: Data) -> Data:
        path = spelled(path)
        full = (*path, *step.scope)
        inside = path == wanted[: len(path)] and len(path) < len(wanted)
        if not inside or full[: len(wanted)] != wanted or not step.tree:
            return node
        there = (*other, *full[len(wanted) :])
        if there[: len(path)] != path or len(there) == len(path):
            _fault(
                old,
                f"expected a path below {'.'.join(path)}, where the function of "
                f"{step.path} has its arrays, found {quote(new)}",
            )
        scope = ".".join(there[len(path) :])
        if scope == step.name:
            return {name: value for name, value in node.items() if name != "params"}
        return {**node, "params": scope}

    after = varied(graph, change)
    if after == graph:
        _fault(
            old,
            "expected the path of a node, found that of an array of one",
            "the names of a node's arrays are those of its op",
        )
    return after


def _expect_free(old: str, new: str, taken: object) -> None:
    if new in taken:  # type: ignore[operator]
        _fault(old, f"expected a name that is free, found {new}, which there is")


def _fault(where: str, message: str, hint: str = "") -> NoReturn:
    raise SpecError.one("edit", quote(where), message, hint)
