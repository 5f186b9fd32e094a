"""Arrays that are stored as int8 and a scale, as floats again."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from blox.mapping.layouts import Dequantize as Floats
from blox.mapping.moves import Move
from blox.schema import Graph, SpecError
from blox.schema.diagnostics import listing, quote
from blox.schema.op import ParamOp
from blox.schema.ops.quantization import Dequantize
from blox.schema.resolve.program import Instance
from blox.schema.resolve.program import Step as Run

from .owners import NodeName, expect_texts, runs
from .plan import Step, same_paths


@dataclass(frozen=True, slots=True)
class _Stored:
    """A node `dequantize` that has its arrays itself, as one call runs it.

    Args:
        instance: the function that it is in.
        run: the node.
        path: of its arrays.
        readers: the nodes that read it, by the fields that do.
    """

    instance: Instance
    run: Run
    path: str
    readers: Sequence[tuple[Run, str]]

    @property
    def node(self) -> NodeName:
        return self.instance.name, self.run.name

    def names(self) -> Iterator[str]:
        """`function.node` of the node itself and of those that read it."""
        yield ".".join(self.node)
        for run, _ in self.readers:
            yield f"{self.instance.name}.{run.name}"


def dequantize(graph: Graph, globs: Sequence[str]) -> Step:
    """What nodes that globs over `function.node` match have as int8, as floats again.

    A node whose parameter was quantised has it at its own path as before; elsewhere a node
    `param` takes the place of `dequantize`. An array that other nodes have too is
    dequantised for all of them.

    Raises:
        SpecError: a glob matches no node of the kind.
    """
    stored = list(_stored(graph))
    paths = _chosen(graph, globs, stored)
    chosen = {s.node: s for s in stored if s.path in paths}
    sized = {p for p in paths if _are_sized([s for s in stored if s.path == p])}
    data = graph.plain()
    for (function, name), found in chosen.items():
        nodes = data["functions"][function]["nodes"]
        slots = _own_slots(found) if found.path in sized else []
        if slots:
            del nodes[name]
            for reader, slot in slots:
                del nodes[reader][slot]
        else:
            scope = ".".join(found.run.scope)
            shape = nodes[name]["shape"]
            nodes[name] = {"op": "param", "shape": shape, "params": scope}
    new = Graph.parse(data)
    moves = [_floats(graph, path) for path in paths]
    how = dict.fromkeys(paths, "values * scale")
    return Step(graph, new, (*same_paths(graph, new), *moves), how)


def _floats(graph: Graph, path: str) -> Move:
    parts = [f"{path}.values", f"{path}.scale"]
    scale = graph.program().leaves()[parts[1]]
    axes = (i - len(scale.shape) for i, size in enumerate(scale.shape) if size == 1)
    return Move.whole([path], parts, Floats(tuple(axes)))


def _stored(graph: Graph) -> Iterator[_Stored]:
    known: dict[int, dict[str, list[tuple[Run, str]]]] = {}
    for path, instance, run in runs(graph.program()):
        given = run.args.keys() & {"values", "scale"}
        if isinstance(run.op, Dequantize) and not given:
            if id(instance) not in known:
                known[id(instance)] = _readers(instance)
            readers = known[id(instance)].get(run.name, ())
            yield _Stored(instance, run, ".".join((*path, *run.scope)), readers)


def _chosen(
    graph: Graph, globs: Sequence[str], stored: Sequence[_Stored]
) -> Mapping[str, None]:
    """The paths of what globs match."""
    names = dict.fromkeys(name for s in stored for name in s.names())
    found: dict[str, None] = {}
    expect_texts(globs)
    for glob in globs:
        hits = {name for name in names if fnmatch.fnmatchcase(name, glob)}
        if not hits:
            raise SpecError.one(
                "edit",
                graph.name,
                "expected a glob over function.node that matches nodes with int8 arrays "
                f"({listing(names) if names else 'there are none'}), found {quote(glob)}",
            )
        found |= {s.path: None for s in stored if hits & {*s.names()}}
    return found


def _readers(instance: Instance) -> dict[str, list[tuple[Run, str]]]:
    """The nodes that read each node of a function, by the fields that do."""
    found: dict[str, list[tuple[Run, str]]] = {}
    for run in instance.steps:
        read = [
            (part.source, field)
            for field, arg in run.args.items()
            for part in (arg if isinstance(arg, list) else [arg])
        ]
        for group in run.groups.values():
            read += [(arg.source, "") for arg in group.values()]
        for source, field in dict.fromkeys(read):
            found.setdefault(source or "", []).append((run, field))
    return found


def _own_slots(found: _Stored) -> list[tuple[str, str]]:
    """The readers and their slots, where all have the array at that path without it."""
    instance, run = found.instance, found.run
    if any(arg.source == run.name for arg in instance.outputs.values()):
        return []
    slots: list[tuple[str, str]] = []
    for reader, field in found.readers:
        op = reader.op
        own = isinstance(op, ParamOp) and field in op.fields().slots
        if not own or (*reader.scope, field) != run.scope:
            return []
        slots.append((reader.name, field))
    return slots


def _are_sized(stored: Sequence[_Stored]) -> bool:
    """True where the readers of nodes that have one array give all its sizes."""
    shapes = []
    for each in stored:
        for reader, field in each.readers:
            if field in reader.op.fields().slots:
                op = reader.op.unchecked_copy(**{field: None})
                shapes.append(op.leaves()[field].shape)
    return all(
        any(size is not None for size in axis) for axis in zip(*shapes, strict=True)
    )
