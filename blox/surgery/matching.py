"""`bx.plan`, `bx.carry_over`: arrays of one Graph for another, by their paths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from blox.mapping.units import Unit, all_units
from blox.schema import Graph, SpecError
from blox.schema.diagnostics import Diagnostic, bounded
from blox.schema.graph import expect_graph

from .carry import carried
from .layouts import Picked
from .plan import Move, Plan, Step, alike, plan_of


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
    old, new = before.program().leaves(), graph.program().leaves()
    ours, theirs = all_units(new), all_units(old)
    there = {unit.name: unit for units in theirs.values() for unit in units}
    counts, wanted = _counts(theirs), _counts(ours)
    moves: list[Move] = []
    faults: dict[str, Diagnostic] = {}
    for path, copies in ours.items():
        leaf = new[path]
        if path in old and alike(old[path], leaf):
            moves.append(Move(path, (path,)))
            continue
        found = [there[unit.name] for unit in copies if unit.name in there]
        if not found or any(unit.spec != copies[0].spec for unit in found):
            continue
        key = _key(copies[0])
        if counts[key] != wanted[key]:
            faults.setdefault(key, _other_count(path, counts[key], wanted[key]))
            continue
        names = tuple(dict.fromkeys(unit.path for unit in found))
        parts = tuple((names.index(unit.path), unit.at) for unit in found)
        moves.append(Move(path, names, (Picked(parts, leaf.stack),)))
    if faults:
        raise SpecError(bounded(faults.values()))
    return Step(before, graph, tuple(moves))


def _counts(units: Mapping[str, list[Unit]]) -> Counter[str]:
    """How many copies there are of each array, by its path without their numbers."""
    return Counter(_key(unit) for copies in units.values() for unit in copies)


def _key(unit: Unit) -> str:
    return ".".join(part for part in unit.name.split(".") if not part.isdecimal())


def _other_count(path: str, found: int, wanted: int) -> Diagnostic:
    return Diagnostic(
        "edit",
        path,
        f"expected {found} copies, as there are arrays of, found {wanted} in the new Graph",
        "say which copies stay, and what new ones are, by bx.edit(graph).copies(...)",
    )
