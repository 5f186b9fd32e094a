"""The nodes that each array of a model belongs to."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from blox.schema import Graph, Op, SpecError
from blox.schema.diagnostics import listing, quote
from blox.schema.parameters import Leaf
from blox.schema.resolve.program import Instance, Program
from blox.schema.resolve.program import Step as Run
from blox.schema.resolve.trees import flatten

NodeName = tuple[str, str]
"""A function and a node of it."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A node that stores an array, as one call runs it.

    Args:
        node: the function and the node.
        slot: the array's name in the node: `kernel`.
        op: the node, its expressions replaced by values.
        scope: where the arrays of the function lie in that call.
    """

    node: NodeName
    slot: str
    op: Op
    scope: tuple[str, ...]


def runs(
    program: Program, without: NodeName | None = None
) -> Iterator[tuple[tuple[str, ...], Instance, Run]]:
    """(path of the function, function, node) of every node that a run visits; those that
    differ neither in arrays nor in attributes once.

    Args:
        program: of the Graph.
        without: a node that is passed over, with all that it runs.
    """
    todo: list[tuple[tuple[str, ...], Instance]] = [
        ((), instance) for instance in reversed(program.entries.values())
    ]
    seen: set[tuple[tuple[str, ...], int]] = set()
    while todo:
        path, instance = todo.pop()
        if (path, id(instance)) in seen:
            continue
        seen.add((path, id(instance)))
        for step in instance.steps:
            if (instance.name, step.name) == without:
                continue
            yield path, instance, step
            for called in step.callees:
                role = called.declared.role
                inner = (*path, *step.scope, *([] if role is None else [role]))
                if called.declared.layout == "listed":
                    copies = enumerate(called.calls)
                    todo += [((*inner, str(i)), copy) for i, copy in copies]
                else:
                    todo += [(inner, copy) for copy in called.instances]


def owners(program: Program) -> dict[str, list[Owner]]:
    """The nodes that store each array, by its path."""
    found: dict[str, list[Owner]] = {}
    for path, instance, step in runs(program):
        node = (instance.name, step.name)
        for slot in _arrays(step):
            where = ".".join((*path, *step.scope, *([slot] if slot else [])))
            found.setdefault(where, []).append(Owner(node, slot, step.op, path))
    return found


def arrays(path: tuple[str, ...], step: Run) -> list[tuple[str, str]]:
    """(name, path) of the arrays that a node stores itself, as a function at a path runs
    it; those of an op with a body too."""
    if step.callees:
        return []
    own = ".".join((*path, *step.scope))
    if isinstance(step.tree, Leaf):
        return [("value", own)]
    return [(name, f"{own}.{name}") for name, _ in flatten(step.tree)]


def _arrays(step: Run) -> Sequence[str]:
    """The names of the arrays that a node stores itself, `""` for one that it is."""
    if isinstance(step.tree, Leaf):
        return ("",)
    if step.callees or not isinstance(step.tree, dict):
        return ()
    return tuple(step.tree)


def matching(
    graph: Graph, globs: Sequence[str], nodes: Collection[NodeName], what: str
) -> list[NodeName]:
    """Those of some nodes that a glob over `function.node` matches.

    Args:
        graph: the model.
        globs: at least one.
        nodes: what may be meant.
        what: what these are, for errors: `linear nodes`.

    Raises:
        SpecError: a glob matches none of them.
    """
    names = {f"{function}.{node}": (function, node) for function, node in nodes}
    found: dict[NodeName, None] = {}
    expect_texts(globs)
    for glob in globs:
        hits = [n for n in names if fnmatch.fnmatchcase(n, glob)]
        if not hits:
            raise SpecError.one(
                "edit",
                graph.name,
                f"expected a glob over function.node that matches {what} "
                f"({listing(names) or 'there are none'}), found {quote(glob)}",
                _meant(graph, glob, names),
            )
        found |= dict.fromkeys(names[name] for name in hits)
    return list(found)


def expect_texts(globs: Sequence[object]) -> None:
    """Refuses a list among globs, which `bx.split` takes and operations don't."""
    for glob in globs:
        if not isinstance(glob, str):
            raise SpecError.one(
                "edit",
                "",
                f"expected globs as texts, found {quote(glob)}",
                'one by one, freeze("wte", "wpe"); *globs are those of a list',
            )


def _meant(graph: Graph, glob: str, names: Collection[str]) -> str:
    """The nodes that may be meant by a glob that matches none, as a hint: those whose
    arrays lie at that path, else the one of the nearest name."""
    there = [
        ".".join(owner.node)
        for path, some in owners(graph.program()).items()
        if fnmatch.fnmatchcase(path, glob) or fnmatch.fnmatchcase(path, f"{glob}.*")
        for owner in some
    ]
    found = [name for name in dict.fromkeys(there) if name in names]
    found = found[:3] or difflib.get_close_matches(glob, names, 1)
    return f"did you mean {' or '.join(found)}?" if found else ""
