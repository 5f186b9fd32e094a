"""`bx.generate`: a Graph as one standalone file that needs no blox."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from blox import codegen
from blox.schema import Graph


@cache
def read(family: str) -> str:
    """The text of a module of the op library."""
    return (files("blox.ops") / f"{family}.py").read_text(encoding="utf-8")


def generate(graph: Graph) -> str:
    """The source of a standalone file of Python for a Graph.

    It holds the model's functions as an expert would write them, the ops they use, the
    shapes and initialisers of the parameters, `init_params` and `load_params`. Its
    functions trace to the same jaxpr as those of `bx.build`. Needs no JAX to write.

    Raises:
        SpecError: the Graph is not sound.
    """
    return codegen.generate(graph, read)
