"""`bx.summary`: a model as a tree with shapes, parameter counts, bytes and FLOPs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from blox.schema import Graph, Leaf
from blox.schema.frozen import EMPTY
from blox.schema.graph import expect_graph
from blox.schema.resolve.program import Program
from blox.show.count import Count
from blox.show.flops import measure
from blox.show.printable import printable
from blox.show.rows import MAX_ROWS, Full, Row, Walk
from blox.show.tables import FIRST_NUMBER, table
from blox.show.texts import signature_text
from blox.weights.dtypes import nbytes_of

MAX_FLOPS = 40
"""Characters of the FLOPs of a node, whose smallest terms are left out beyond."""

HEAD = ("", "", "shape", "parameters", "bytes", "FLOPs")


@dataclass(frozen=True, repr=False)
class Summary:
    """The result of `bx.summary`; `str()` of it is the tree, notebooks show a table.

    Attributes:
        rows: the lines of the tree, in the order of the program.
        parameters: elements of all arrays but state and buffers, each path once.
        trainable: those of them that training may change.
        state: elements of state and buffers.
        nbytes: bytes of all arrays.
        flops: of one call of each entry: numbers, or polynomials of the dims as text.
    """

    rows: tuple[Row, ...]
    heading: tuple[str, ...]
    parameters: int
    trainable: int
    state: int
    nbytes: int
    flops: Mapping[str, int | str]
    dropped: bool = False

    def __str__(self) -> str:
        return "\n".join([*self.heading, "", *self._tree(), "", *self._ending()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The same as a table, for notebooks."""
        lines = [(row.depth, cells(row)) for row in self.rows]
        return table(self.heading, HEAD, lines, list(self._ending()))

    def _tree(self) -> Iterator[str]:
        lines: list[tuple[str, ...]] = [HEAD]
        for row, lead in zip(self.rows, _branches(self.rows), strict=True):
            name, *rest = cells(row)
            lines.append((lead + name, *rest))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            texts = [
                f"{text:<{width}}" if i < FIRST_NUMBER else f"{text:>{width}}"
                for i, (text, width) in enumerate(zip(line, widths, strict=True))
            ]
            yield "  ".join(texts).rstrip()

    def _ending(self) -> Iterator[str]:
        if self.dropped:
            yield f"... and more; a smaller depth shows less (limit: {MAX_ROWS} lines)"
        yield self._total()

    def _total(self) -> str:
        frozen = self.parameters - self.trainable
        parts = [f"{self.parameters:,} parameters"]
        parts += [f"{frozen:,} of them frozen"] if frozen else []
        parts += [f"{self.state:,} values of state and buffers"] if self.state else []
        return ", ".join([*parts, size_text(self.nbytes)])


def summary(
    graph: Graph, params: Any = None, *, depth: int | None = None, **dims: int
) -> Summary:
    """The model as a tree: nodes in the order of the program, their arrays below them.

    Nodes are shown with the shapes that they give, dims by name, and with the FLOPs of a
    call of the entry: of the node and of what it runs, in all copies and steps. A
    multiply-add of a matrix product or a convolution is 2 FLOPs, and a convolution counts
    its taps on padding; an arithmetic of floats is 1 for each element that it gives, a
    reduction for each that it takes. Moving and converting data, and integers, are none.
    Of branches the largest counts; what only data decides is `?`.

        print(bx.summary(graph, batch=1, seq=128))

    Args:
        graph: the Graph.
        params: Params, or `jax.eval_shape` of them, for the dtypes that they have;
            without them the model's floating type counts as float32.
        depth: how many levels of calls to show; 1 shows the nodes of the entries.
        **dims: sizes of dims; without them shapes and FLOPs are in terms of the dims.

    Returns:
        A Summary; `str` of it is text without control codes, whatever the file holds.

    Raises:
        SpecError: the Graph is not sound.
        ModelError: dims that no entry has, or that are out of bounds.
    """
    dtypes = {p: str(leaf.dtype) for p, leaf in _arrays(params, "")}
    return summarise(graph, dtypes, depth=depth, dims=dims)


def summarise(
    graph: Graph,
    dtypes: Mapping[str, str],
    *,
    depth: int | None = None,
    dims: Mapping[str, int] = EMPTY,
) -> Summary:
    """As `summary`, with dtypes of arrays by graph path, as headers of files say."""
    expect_graph(graph)
    program = graph.program()
    leaves = program.leaves()
    nbytes = {p: _nbytes(leaf, dtypes.get(p)) for p, leaf in leaves.items()}
    measured = measure(graph, dims)
    walk = Walk(leaves, nbytes, dtypes, measured.shapes, depth)
    try:
        for entry, instance in program.entries.items():
            walk.entry(entry, instance, measured.entries[entry])
    except Full:
        walk.dropped = True

    def count(wanted: Any) -> int:
        return sum(math.prod(a.full_shape) for a in leaves.values() if wanted(a))

    return Summary(
        rows=tuple(walk.rows),
        heading=tuple(_heading(graph, program)),
        parameters=count(lambda a: a.kind == "param"),
        trainable=count(lambda a: a.trainable),
        state=count(lambda a: a.kind != "param"),
        nbytes=sum(nbytes.values()),
        flops={n: _plain(cost.flops) for n, cost in measured.entries.items()},
        dropped=walk.dropped,
    )


def cells(row: Row) -> tuple[str, str, str, str, str, str]:
    """The texts of a line: name, kind, shape, parameters, bytes, FLOPs."""
    arrays = row.count or row.is_array
    count = f"{row.count:,}" if arrays else ""
    nbytes = size_text(row.nbytes) if arrays else ""
    if row.shared:
        count, nbytes = "shared", ""
    flops = row.flops.short(MAX_FLOPS) if row.flops else ""
    return row.name, row.kind, row.shape, count, nbytes, flops


def _plain(flops: Count) -> int | str:
    return str(flops) if flops.number is None else flops.number


def size_text(nbytes: int) -> str:
    """`1,234 B`, `12.3 KiB`, `86.6 MiB`."""
    if nbytes < 1024:
        return f"{nbytes:,} B"
    size = float(nbytes)
    for unit in ("KiB", "MiB", "GiB"):
        size /= 1024
        if size < 1024:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:,.1f} TiB"


def _heading(graph: Graph, program: Program) -> Iterator[str]:
    yield f"{graph.name}  {graph.format}  {graph.digest[:19]}"
    about = graph.metadata
    for label in ("description", "license", "source"):
        text = getattr(about, label)
        if text:
            yield f"{label}: {printable(text, 160)}"
    if graph.attributes:
        values = ", ".join(f"{k}={v}" for k, v in graph.attributes.items())
        yield f"attributes: {values}"
    for name, instance in program.entries.items():
        yield f"{name}{signature_text(instance)}"
        for output, given in instance.function.outputs.items():
            if given.doc:
                yield f"  {output}: {printable(given.doc, 160)}"


def _branches(rows: tuple[Row, ...]) -> Iterator[str]:
    """The lines of the tree before each row, drawn from the last, which knows what follows."""
    leads: list[str] = []
    open_at: set[int] = set()
    for row in reversed(rows):
        open_at = {d for d in open_at if d <= row.depth}
        lead = "".join(
            "\u2502  " if d in open_at else "   " for d in range(1, row.depth)
        )
        if row.depth:
            lead += "\u251c\u2500 " if row.depth in open_at else "\u2514\u2500 "
        leads.append(lead)
        open_at.add(row.depth)
    return reversed(leads)


def _arrays(tree: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(tree, (dict, list)):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for name, part in items:
            yield from _arrays(part, f"{path}.{name}" if path else str(name))
    elif tree is not None:
        yield path, tree


def _nbytes(leaf: Leaf, dtype: str | None) -> int:
    return nbytes_of(dtype or leaf.dtype, math.prod(leaf.full_shape))
