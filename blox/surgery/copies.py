"""Fewer, more or other copies of a repeat, with the arrays that they have."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Literal, NoReturn

from blox.schema import BloxError, Graph, SpecError
from blox.schema.diagnostics import quote
from blox.schema.resolve import replace
from blox.schema.resolve.places import entry_of, place_of
from blox.schema.resolve.program import Called
from blox.schema.resolve.program import Step as Run
from blox.schema.resolve.rewiring import Data, callees_of

from .plan import Step, copy_by_copy, same_paths
from .variants import Path, names_of, varied

MOST = 100_000
Chosen = tuple[int | None, ...]
"""The number of an old copy for each, None for one that is new."""


def copied(
    graph: Graph,
    path: str,
    copies: int | Sequence[int],
    new: Literal["init", "last"],
    entry: str | None,
) -> Step:
    """Another number of copies of a repeat, or of lanes of a map that has a `count`.

    Args:
        graph: the model.
        path: of the node from the entry: `h`, `encoder.layers`; of a repeat in a repeat,
            `h.inner`, that of all copies.
        copies: so many, the first ones; or the numbers of those that stay.
        new: what more of them are: as `init` makes them, or copies of the last.
        entry: by default the first.

    Raises:
        SpecError: there is no such repeat, or no such copy of it.
        ModelError: there are too many copies of arrays.
    """
    place = place_of(entry_of(graph.program().entries, entry), path, copy=0)
    step, called = _repeat(path, place.step)
    count = called.declared.copies
    assert isinstance(count, int)
    chosen = _chosen(path, count, copies, new)
    whole = names_of((*map(str, place.prefix), *step.scope))
    after = _written(graph, whole, chosen)
    replace.check(after, after.program())
    if called.declared.layout == "shared":
        return Step(graph, after, same_paths(graph, after))
    found = copy_by_copy(graph, after, lambda name: _old_name(name, whole, chosen))
    how = {p: _said(chosen) for p, moves in found.items() if moves[0].targets[0].at}
    return Step(graph, after, tuple(chain(*found.values())), how)


def _repeat(path: str, step: Run | None) -> tuple[Run, Called]:
    """The node at a path and what it runs, where that has copies."""
    if step is not None and len(step.callees) == 1:
        called = step.callees[0]
        if called.declared.layout != "one":
            return step, called
    _fault(
        path,
        "expected a node with copies, a `repeat` or a `map` with a `count`, found another",
        "path to the node itself, without a number behind it",
    )


def _chosen(path: str, count: int, copies: int | Sequence[int], new: str) -> Chosen:
    if new not in ("init", "last"):
        _fault(path, f'expected new= to be "init" or "last", found {quote(new)}')
    if isinstance(copies, int) and not isinstance(copies, bool):
        if not 0 <= copies <= MOST:
            _fault(path, f"expected 0 to {MOST} copies, found {copies}")
        if copies > count == 0 and new == "last":
            _fault(path, "expected a copy to copy, found none", 'say new="init"')
        more = None if new == "init" else count - 1
        return tuple(i if i < count else more for i in range(copies))
    if isinstance(copies, (str, bool)) or not isinstance(copies, Sequence):
        _fault(path, f"expected a count or numbers of copies, found {quote(copies)}")
    for i in copies:
        if isinstance(i, bool) or not isinstance(i, int) or not 0 <= i < count:
            _fault(path, f"expected copies of 0 to {count - 1}, found {quote(i)}")
    return tuple(copies)


# The Graph ----------------------------------------------------------------------------


def _written(graph: Graph, whole: Path, chosen: Chosen) -> Graph:
    """The Graph with so many copies, by the attribute that says their number alone."""
    nodes: set[str] = set()

    def change(path: Path, step: Run, node: Data) -> Data:
        if not callees_of(node) or names_of((*path, *step.scope)) != whole:
            return node
        if step.callees[0].declared.copies is None:
            return node
        nodes.add(step.path)
        changed = {**node, "count": len(chosen)}
        if isinstance(node.get("xs"), dict):
            changed["xs"] = _lists(node["xs"], chosen)
        if "attributes" in node:
            changed["attributes"] = _lists(node["attributes"], chosen)
        return changed

    counted = varied(graph, change)
    name = _attribute(graph, nodes)
    if name is None:
        return counted
    named = varied(
        graph,
        lambda p, s, node: (
            {**change(p, s, node), "count": node["count"]} if s.path in nodes else node
        ),
    )
    data = named.plain()
    data["attributes"] = {**data["attributes"], name: len(chosen)}
    follows = Graph.parse(data)
    return counted if _is_better(counted, follows) else follows


def _is_better(counted: Graph, follows: Graph) -> bool:
    """True where a number is the better count: the attribute says other sizes too."""
    try:
        own, other = (_shapes(graph) for graph in (counted, follows))
        if own == other:
            return False
        replace.check(counted, counted.program())
    except BloxError:
        return False
    return True


def _shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    return {path: x.full_shape for path, x in graph.program().leaves().items()}


def _lists(given: Data, chosen: Chosen) -> Data:
    """Arguments with the items that chosen copies have; new ones have the last."""

    def item(values: list[Any], i: int | None) -> Any:
        return values[-1 if i is None else i % len(values)]

    return {
        name: [item(value, i) for i in chosen]
        if isinstance(value, list) and value and chosen
        else value
        for name, value in given.items()
    }


def _attribute(graph: Graph, nodes: set[str]) -> str | None:
    """The attribute that says the count of some nodes, and of no others."""
    counts: dict[str, set[str]] = {}
    for name, function in graph.functions.items():
        for node, op in function.nodes.items():
            for callee in op.callees():
                for text in (callee.copies, callee.runs):
                    if isinstance(text, str):
                        counts.setdefault(text, set()).add(f"{name}.{node}")
    for text, users in counts.items():
        if users == nodes and text[1:] in graph.attributes:
            return text[1:]
    return None


# The arrays ---------------------------------------------------------------------------


def _old_name(name: str, whole: Path, chosen: Chosen) -> str | None:
    """The name that a copy of an array had; None for a new one."""
    parts = name.split(".")
    at = _behind(parts, whole)
    if at is None or not parts[at].isdecimal():  # of a node beside the copies
        return name
    number = chosen[int(parts[at])]
    return (
        None
        if number is None
        else ".".join((*parts[:at], str(number), *parts[at + 1 :]))
    )


def _said(chosen: Chosen) -> str:
    names = ["new" if i is None else str(i) for i in chosen]
    if len(names) > 8:
        names = [*names[:7], f"and {len(names) - 7} more"]
    return f"copies {', '.join(names)}"


def _behind(parts: Sequence[str], whole: Path) -> int | None:
    """How many parts of a path lead to a node, None where it is not below that."""
    left = list(whole)
    for i, part in enumerate(parts):
        if not left:
            return i
        if part == left[0]:
            left.pop(0)
        elif not part.isdecimal():
            return None
    return None


def _fault(where: str, message: str, hint: str = "") -> NoReturn:
    raise SpecError.one("edit", quote(where), message, hint)
