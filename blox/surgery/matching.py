"""`bx.plan`, `bx.carry_over`: arrays of one Graph for another, by their paths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import chain
from math import prod
from typing import Any

from blox.schema import Graph, SpecError
from blox.schema.diagnostics import Diagnostic, bounded
from blox.schema.graph import expect_graph

from .carry import carried
from .plan import Plan, Step, copy_by_copy, plan_of


def carry_over(
    old_graph: Graph,
    params: Mapping[str, Any],
    new_graph: Graph,
    *,
    key: Any = None,
) -> dict[str, Any]:
    """Params of a Graph, of those of another one: what has the same path, shape and dtype.

    Copies of a repeat that lie in a list come to lie on an axis where the other Graph has
    them so, and the other way round. All else is new: `bx.init(new_graph, key)` makes it.

        params = bx.carry_over(old, params, new, key=jax.random.key(0))

    `bx.plan(old, new)` says what will become of each array; `bx.edit` goes by what was
    changed instead.

    Raises:
        SpecError: a repeat has another number of copies: which ones is for you to say.
        ModelError: params are not those of the old Graph, or a key is missing.
    """
    expect_graph(old_graph)
    expect_graph(new_graph)
    return carried([matched(old_graph, new_graph)], params, key)


def plan(old_graph: Graph, new_graph: Graph) -> Plan:
    """What `bx.carry_over` would make of every array of one Graph, for another.

    Raises:
        SpecError: a repeat has another number of copies.
    """
    expect_graph(old_graph)
    expect_graph(new_graph)
    return plan_of([matched(old_graph, new_graph)])


def matched(before: Graph, graph: Graph) -> Step:
    """What of one Graph is at the same path in another.

    Raises:
        SpecError: repeats that have another number of copies, all of them.
    """
    found = copy_by_copy(before, graph, str)
    counts, wanted = _counts(before), _counts(graph)
    how: dict[str, str] = {}
    faults: dict[str, Diagnostic] = {}
    for path, moves in found.items():
        (target,), (source,), key = moves[0].targets, moves[0].sources, _key(path)
        if target.at or source.at:
            number = ", ".join(map(str, source.at))
            how[path] = "stacked" if target.at else f"copy {number}"
            if counts[key] != wanted[key]:
                fault = _other_count(path, counts[key], wanted[key])
                faults.setdefault(key, fault)
    if faults:
        raise SpecError(bounded(faults.values()))
    return Step(before, graph, tuple(chain(*found.values())), how)


def _counts(graph: Graph) -> Counter[str]:
    """How many copies there are of each array, by its path without their numbers."""
    counts: Counter[str] = Counter()
    for path, leaf in graph.program().leaves().items():
        counts[_key(path)] += prod(leaf.stack)
    return counts


def _key(path: str) -> str:
    return ".".join(part for part in path.split(".") if not part.isdecimal())


def _other_count(path: str, found: int, wanted: int) -> Diagnostic:
    return Diagnostic(
        "edit",
        path,
        f"expected {found} copies, as there are arrays of, found {wanted} in the new Graph",
        "say which copies stay, and what new ones are, by bx.edit(graph).copies(...)",
    )
