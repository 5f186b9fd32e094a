"""`bx.generate`: a Graph as one standalone file that needs no blox."""

from __future__ import annotations

from typing import Literal, TypeAlias

from blox import codegen
from blox.schema import Graph
from blox.schema.graph import expect_graph
from blox.schema.known import Table

from .sources import read

Target: TypeAlias = Literal["equinox", "nnx"]
"""A library of modules that a file may be written for."""


def generate(graph: Graph, *, init: bool = True, target: Target | None = None) -> str:
    """The source of a standalone file of Python for a Graph.

    It holds the model's functions as an expert would write them, the ops they use, the
    shapes and initialisers of the parameters, `init_params` and `load_params`. Its
    functions trace to the same jaxpr as those of `bx.build`. What is known of
    shapes and dtypes of arrays decides what the file needs of its ops.

    Args:
        graph: the Graph.
        init: False leaves out what only new parameters need: `init_params` and the
            initialisers.
        target: a library of modules, `"equinox"` or `"nnx"` (Flax), for a file of
            classes in place of functions over Params: the paths of their arrays are
            those of Params, and `load(path)` fills them. They give the same numbers, but
            don't trace to the same jaxpr where they use the library's own layers.

    Raises:
        SpecError: the Graph is not sound. ModelError: the source of a registered op
            can't be carried over. GenerationError: the Graph says what classes can't;
            the error names the path.
        ValueError: another target; or `init=False` with one, whose constructors draw.
    """
    expect_graph(graph)
    if target is not None and target not in codegen.TARGETS:
        known = ", ".join(map(repr, codegen.TARGETS))
        raise ValueError(f"target: expected one of {known} or None, found {target!r}")
    if target is not None and not init:
        raise ValueError("init: expected True with a target: constructors draw arrays")

    def shapes() -> Table:
        from blox.shapes.table import common_table

        return common_table(graph)

    if target is not None:
        return codegen.generate_classes(graph, read, shapes, target=target)
    return codegen.generate(graph, read, shapes, init=init)
