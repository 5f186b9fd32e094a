"""Nodes changed where they run at some paths: a function that others run gets a copy."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from blox.schema import Graph, SpecError
from blox.schema.resolve.program import Called, Instance
from blox.schema.resolve.program import Step as Run
from blox.schema.resolve.rewiring import (
    Data,
    callees_of,
    function_name,
    with_callee,
)

Path = tuple[str, ...]
NodeChange = Callable[[Path, Run, Data], Data]
"""(path of the function, node as it runs there, its fields) -> its fields."""


def varied(graph: Graph, change: NodeChange) -> Graph:
    """The Graph with nodes changed as they run at each path.

    A function that is to differ between its callers is copied.

    Args:
        graph: a sound one.
        change: gets each node of each run, and gives its fields, changed or not.

    Raises:
        SpecError: copies of one repeat would differ, or an entry from what calls it.
    """
    return _Variants(graph, change).graph()


@dataclass(frozen=True)
class _Body:
    """A function as some of its runs have it.

    Args:
        name: of the function that it was.
        data: its fields, with the functions that its nodes ran.
        links: the numbers of what these become, by node and field.
        stays: nothing is changed.
    """

    name: str
    data: Data
    links: dict[tuple[str, str], int]
    stays: bool


class _Variants:
    """The functions that a Graph has once its nodes are changed, each that differs once."""

    def __init__(self, graph: Graph, change: NodeChange) -> None:
        self._graph, self._change = graph, change
        self._data = graph.plain()
        self._numbers: dict[str, int] = {}
        self._bodies: list[_Body] = []
        self._seen: dict[tuple[Path, int], int] = {}

    def graph(self) -> Graph:
        entries = self._graph.program().entries
        made = {name: self._variant((), i) for name, i in entries.items()}
        for (path, _), number in self._seen.items():
            name = self._bodies[number].name
            if name in made and made[name] != number:
                _fault(
                    ".".join(path),
                    f"expected the same of the entry {name} and of the node that calls "
                    "it, found a change of one alone",
                    f"name the arrays of both, those of {name} too",
                )
        names = self._names(made)
        functions: Data = {}
        for known, old in self._data["functions"].items():
            own = [i for i, body in enumerate(self._bodies) if body.name == known]
            if known not in (names[i] for i in own):
                functions[known] = old
            for i in sorted(own, key=lambda i: names[i] != known):
                functions[names[i]] = self._written(self._bodies[i], names)
        return Graph.parse({**self._data, "functions": functions})

    def _variant(self, path: Path, instance: Instance) -> int:
        """The number of what a function becomes where it runs."""
        known = self._seen.get((path, id(instance)))
        if known is not None:
            return known
        old = self._data["functions"][instance.name]
        nodes, links = {**old.get("nodes", {})}, dict[tuple[str, str], int]()
        for step in instance.steps:
            was = old["nodes"][step.name]
            nodes[step.name] = self._change(path, step, was)
            for callee, called in zip(callees_of(was), step.callees, strict=False):
                number = self._called(path, step, called)
                if number is not None:
                    links[step.name, callee.field] = number
        data = {**old, "nodes": nodes} if nodes else old
        stays = data == old and all(self._bodies[i].stays for i in links.values())
        key = json.dumps([instance.name, data, [*map(list, links.items())]])
        if key not in self._numbers:
            self._numbers[key] = len(self._bodies)
            self._bodies.append(_Body(instance.name, data, links, stays))
        self._seen[path, id(instance)] = self._numbers[key]
        return self._numbers[key]

    def _called(self, path: Path, step: Run, called: Called) -> int | None:
        """What a function becomes that a node runs; None where there is no copy of it."""
        declared = called.declared
        inner = (*path, *step.scope, *([declared.role] if declared.role else []))
        if declared.layout != "listed":
            found = {self._variant(inner, instance) for instance in called.instances}
        else:
            copies = enumerate(called.calls)
            found = {self._variant((*inner, str(i)), copy) for i, copy in copies}
        if len(found) > 1:
            _fault(
                ".".join(inner),
                "expected the same of all copies of a repeat, which have one function, "
                "found a change of some",
                "name all of them: by rename without numbers, by freeze and train with * in "
                "place of one; bx.split(freeze=) takes single ones",
            )
        return found.pop() if found else None

    def _names(self, entries: dict[str, int]) -> list[str]:
        """The name of each function: its own for one of all that it becomes."""
        kept, bodies = dict(entries), {*self._graph.ops.values()}
        for i, body in enumerate(self._bodies):
            if body.stays:
                kept.setdefault(body.name, i)
        for i, body in enumerate(self._bodies):
            if body.name not in bodies:
                kept.setdefault(body.name, i)
        names: list[str] = []
        taken = {**self._data, "functions": {**self._data["functions"]}}
        for i, body in enumerate(self._bodies):
            is_kept = kept.get(body.name) == i
            names.append(body.name if is_kept else function_name(taken, body.name))
            taken["functions"].setdefault(names[-1], {})
        return names

    def _written(self, body: _Body, names: list[str]) -> Data:
        """A function that runs others by their names."""
        if not body.links:
            return body.data
        nodes = {**body.data["nodes"]}
        for (name, field), number in body.links.items():
            callee = next(c for c in callees_of(nodes[name]) if c.field == field)
            nodes[name] = with_callee(nodes[name], callee, names[number])
        return {**body.data, "nodes": nodes}


def names_of(path: Path) -> Path:
    """A path without the numbers of copies, which have one function."""
    return tuple(part for part in path if not part.isdecimal())


def _fault(where: str, message: str, hint: str) -> NoReturn:
    raise SpecError.one("edit", where, message, hint)
