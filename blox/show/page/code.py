"""The generated code of a model, and where in it each function stands."""

from __future__ import annotations

import ast
from typing import Any

from blox.io.generate import generate
from blox.schema import BloxError, Graph
from blox.schema.resolve.program import Program
from blox.show.printable import printable

MAX_NODES = 2_000
"""Nodes of a model whose code stands in its page: that of larger ones takes long."""
MAX_CHARACTERS = 400_000
"""Of code in a page."""


def code_of(graph: Graph, program: Program) -> dict[str, Any]:
    """The file that `bx.generate` writes, with the lines of its functions.

    Returns:
        `text`, and in `functions` the first and the last line of each by its name,
        `main` for the entry that the file calls by the model's name. Where there is no
        code, `note` says why.
    """
    nodes = sum(len(instance.steps) for instance in program.live_instances())
    if nodes > MAX_NODES:
        return {"note": f"Left out: {nodes:,} nodes. `blox codegen` writes it."}
    try:
        text = generate(graph)
    except BloxError as error:
        return {"note": f"None: {printable(str(error), 400)}"}
    if len(text) > MAX_CHARACTERS:
        return {
            "note": f"Left out: {len(text):,} characters. `blox codegen` writes it."
        }
    functions = {
        node.name: [_first_line(node), node.end_lineno]
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef)
    }
    if "main" in graph.entries and graph.name in functions:
        functions["main"] = functions[graph.name]
    shown = "\n".join(printable(line) for line in text.split("\n"))
    return {"text": shown, "functions": functions}


def _first_line(node: ast.FunctionDef) -> int:
    """That of its decorators, where it has some."""
    return min([node.lineno, *(d.lineno for d in node.decorator_list)])
