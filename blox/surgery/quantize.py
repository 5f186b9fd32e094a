"""Arrays stored as int8 and a scale, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from blox.builder.change import change
from blox.mapping.layouts import Quantize
from blox.mapping.moves import Move
from blox.schema import Graph, SpecError
from blox.schema.resolve.rewiring import free_name

from .owners import NodeName, Owner, matching, owners
from .plan import Step, same_paths
from .written_sizes import written_sizes


def quantize(graph: Graph, globs: Sequence[str]) -> Step:
    """Kernels and tables of the nodes that globs over `function.node` match, as int8.

    An array that other nodes have too, such as a tied table, is quantised for all of them.

    Raises:
        SpecError: a glob matches no node with an array that may be quantised, or one has
            an array that another node has otherwise.
    """
    arrays = owners(graph.program())
    able = {path: own for path, own in arrays.items() if _channels(own[0]) is not None}
    nodes = dict.fromkeys(o.node for own in able.values() for o in own)
    chosen = {*matching(graph, globs, nodes, "nodes whose arrays may be quantised")}
    paths = _closed(arrays, able, chosen)
    leaves = graph.program().leaves()
    slots: dict[NodeName, dict[str, list[Any]]] = {}
    for path in paths:
        for owner in arrays[path]:
            sizes = written_sizes(graph, owner, arrays[path], leaves[path].shape)
            slots.setdefault(owner.node, {})[owner.slot] = sizes
    writers = {
        ".".join(node): _quantizing(graph, node, found) for node, found in slots.items()
    }
    new = change(graph, writers)
    moves: list[Move] = []
    for path in paths:
        kept, rank = _kept(arrays[path][0]), len(leaves[path].shape)
        axes = tuple(i - rank for i in range(rank) if i not in kept)
        parts = [f"{path}.{part}" for part in ("values", "scale")]
        moves.append(Move.whole(parts, [path], Quantize(axes)))
    how = {f"{p}.{part}": f"int8 {part}" for p in paths for part in ("values", "scale")}
    return Step(graph, new, (*same_paths(graph, new), *moves), how)


def _channels(owner: Owner) -> tuple[int, ...] | None:
    return owner.op.channels().get(owner.slot)


def _kept(owner: Owner) -> set[int]:
    """The axes that have a scale for each index, counted from the front."""
    rank = len(owner.op.leaves()[owner.slot].shape)
    return {axis % rank for axis in _channels(owner) or ()}


def _closed(
    arrays: Mapping[str, list[Owner]], able: Mapping[str, Any], chosen: set[NodeName]
) -> list[str]:
    """The paths of the arrays of chosen nodes, and of those of all nodes that share one."""
    found: dict[str, None] = {}
    before = -1
    while len(found) > before:
        before = len(found)
        for path in able:
            if path not in found and any(o.node in chosen for o in arrays[path]):
                _alike(path, arrays[path])
                found[path] = None
                chosen |= {owner.node for owner in arrays[path]}
    return list(found)


def _alike(path: str, found: Sequence[Owner]) -> None:
    """Refuses an array that nodes use in different ways."""
    for owner in found[1:]:
        if _channels(owner) is None or _kept(owner) != _kept(found[0]):
            first, other = (".".join(o.node) for o in (found[0], owner))
            raise SpecError.one(
                "edit",
                path,
                f"expected an array that all its nodes use alike, found {first} "
                f"({found[0].op.op}) and {other} ({owner.op.op})",
                "leave these nodes out of the glob",
            )


def _quantizing(
    graph: Graph, name: NodeName, slots: Mapping[str, Sequence[Any]]
) -> Callable[..., Any]:
    """What writes a node whose arrays, at slots of these sizes, are stored as int8."""
    function, own = name
    taken = graph.functions[function]
    op = taken.nodes[own]

    def write(f: Any, node: Any) -> Any:
        made = {}
        for slot, sizes in slots.items():
            kept = {axis % len(sizes) for axis in op.channels()[slot]}
            made[slot] = f.dequantize(
                free_name(f"{own}_{slot}", taken.nodes, taken.inputs, taken.attributes),
                sizes,
                [size if i in kept else 1 for i, size in enumerate(sizes)],
                params=".".join((*op.scope(own), slot)),
                frozen=["scale"],
            )
        return node(**made)

    return write
