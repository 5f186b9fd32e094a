"""The docstring of a file: what the model is, where from, its size, how to use it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from ..schema.resolve.program import Instance, Program
from ..schema.write.canonical import digest

WIDTH = 85


def about(program: Program, usage: Sequence[str] = ()) -> str:
    """The text, with a call of the first entry that gives its outputs their names.

    Args:
        program: the Program.
        usage: lines that show how to use the file, where it is not one of functions.
    """
    graph = program.graph
    leaves = program.leaves().values()
    count = sum(math.prod(leaf.full_shape) for leaf in leaves)
    meta = graph.metadata
    size = f"{count:,} parameters in {len(leaves)} arrays."
    text = " ".join(meta.description.split())
    lines = textwrap.wrap(f"{graph.name}: {text or size}", WIDTH)
    facts = [size] if text else []
    for label, value in (("Source", meta.source), ("License", meta.license)):
        if value:
            facts.append(f"{label}: {' '.join(value.split())}.")
    lines += ["", *textwrap.wrap(" ".join(facts), WIDTH)]
    lines += [f"Made by blox of {digest(graph)}", ""]
    lines += usage or [
        '    params = load_params("folder of params.safetensors")',
        f"    {_call(program)}",
    ]
    return "\n".join(lines)


def _call(program: Program) -> str:
    entry = program.entries[program.graph.entries[0]]
    title = program.graph.name if entry.name == "main" else entry.name
    inputs = [n for n, i in entry.function.inputs.items() if not i.optional]
    state = ", state" if entry.stateful else ""
    return f"{result_of(entry)}{state} = jax.jit({title})({', '.join(['params', *inputs])})"


def result_of(entry: Instance) -> str:
    """A name for what an entry gives."""
    outputs = [*entry.outputs]
    return outputs[0] if len(outputs) == 1 else "outputs"
