"""All that a page shows of a model, as plain data that JSON can hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from blox.schema import Graph
from blox.schema.frozen import EMPTY
from blox.schema.graph import expect_graph
from blox.schema.version import __version__
from blox.show.flops import measure

from .code import code_of
from .parts import Parts, dtype_of_model
from .spec import spec_of
from .texts import lines, text_of


def content(
    graph: Graph,
    dtypes: Mapping[str, str] = EMPTY,
    dims: Mapping[str, int] = EMPTY,
) -> dict[str, Any]:
    """The data of the page of a Graph.

    Text of the file is inert in it: on lines, without control codes and without marks
    that turn its direction.

    Args:
        graph: the Graph.
        dtypes: those of arrays by graph path, as headers of weights say them.
        dims: sizes to show and to count FLOPs at.

    Raises:
        SpecError: the Graph is not sound.
        ModelError: dims that no entry has, or that are out of bounds.
    """
    expect_graph(graph)
    program = graph.program()
    leaves = program.leaves()
    floats = dtype_of_model(leaves, dtypes)
    parts = Parts(program, floats, measure(graph, dims, floats=floats))
    kinds = {
        "parameters": [a for a in leaves.values() if a.kind == "param"],
        "frozen": [a for a in leaves.values() if a.kind == "param" and not a.trainable],
        "state": [a for a in leaves.values() if a.kind != "param"],
    }
    return {
        "name": graph.name,
        "blox": __version__,
        "format": graph.format,
        "digest": graph.digest,
        "floats": floats,
        "about": list(_about(graph)),
        "totals": {name: parts.sizes(found)["count"] for name, found in kinds.items()},
        "arrays": len(leaves),
        "bytes": parts.sizes(leaves.values())["bytes"],
        "entries": [[name, parts.place(i)] for name, i in program.entries.items()],
        "parts": parts.all(),
        "spec": spec_of(graph),
        "code": code_of(graph, program),
    }


def _about(graph: Graph) -> Iterator[list[str]]:
    """[label, text] of what people want to know."""
    found = graph.metadata
    for label in ("description", "license", "source", "citation"):
        if text := getattr(found, label):
            yield [label, lines(text)]
    for label, texts in (("authors", found.authors), ("tags", found.tags)):
        if texts:
            yield [label, text_of(", ".join(texts))]
    for name, value in found.extra.items():
        yield [text_of(name), text_of(value)]
    for name, number in graph.attributes.items():
        yield [f"${name}", text_of(number)]
    for name, bounds in graph.dims.items():
        given = [
            f"{word} {value}"
            for word, value in (
                ("at least", bounds.min),
                ("at most", bounds.max),
                ("a multiple of", bounds.multiple_of),
            )
            if value is not None
        ]
        yield [name, ", ".join(given) or "any size"]
    for constraint in graph.constraints:
        yield ["constraint", text_of(constraint)]
