"""`bx.generate`: a Graph as one standalone file that needs no blox."""

from __future__ import annotations

import inspect
import sys
from functools import cache
from importlib.resources import files

from blox import codegen
from blox.schema import Graph, ModelError
from blox.schema.graph import expect_graph
from blox.schema.registry import definition


def read(home: str) -> str:
    """The text of a module of the op library, or of that of a registered op.

    Raises:
        ModelError: the module of a registered op has no source, as in a prompt.
    """
    found = definition(home)
    if found is None or found.function is None:
        return _family(home)
    try:
        return inspect.getsource(sys.modules[found.function.__module__])
    except (OSError, TypeError, KeyError):
        message = "expected a function in a file, whose source can be carried over"
        raise ModelError.one("op-source", home, message) from None


@cache
def _family(name: str) -> str:
    return (files("blox.ops") / f"{name}.py").read_text(encoding="utf-8")


def generate(graph: Graph) -> str:
    """The source of a standalone file of Python for a Graph.

    It holds the model's functions as an expert would write them, the ops they use, the
    shapes and initialisers of the parameters, `init_params` and `load_params`. Its
    functions trace to the same jaxpr as those of `bx.build`. Needs no JAX to write.

    Raises:
        SpecError: the Graph is not sound.
    """
    expect_graph(graph)
    return codegen.generate(graph, read)
