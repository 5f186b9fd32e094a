"""`bx.generate`: a Graph as one standalone file that needs no blox."""

from __future__ import annotations

from blox import codegen
from blox.schema import Graph
from blox.schema.graph import expect_graph
from blox.schema.known import Table

from .sources import read


def generate(graph: Graph, *, init: bool = True) -> str:
    """The source of a standalone file of Python for a Graph.

    It holds the model's functions as an expert would write them, the ops they use, the
    shapes and initialisers of the parameters, `init_params` and `load_params`. Its
    functions trace to the same jaxpr as those of `bx.build`. What is known of
    shapes and dtypes of arrays decides what the file needs of its ops.

    Args:
        graph: the Graph.
        init: False leaves out what only new parameters need: `init_params` and the
            initialisers.

    Raises:
        SpecError: the Graph is not sound. ModelError: the source of a registered op
            can't be carried over.
    """
    expect_graph(graph)

    def shapes() -> Table:
        from blox.shapes.table import common_table

        return common_table(graph)

    return codegen.generate(graph, read, shapes, init=init)
