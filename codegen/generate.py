"""`generate`: a Graph as one standalone file of Python."""

from __future__ import annotations

import ast
import math
import textwrap
from collections.abc import Sequence, Set
from functools import cache

import jinja2

from ..schema.graph import Graph
from ..schema.known import Shapes
from ..schema.op import ScopeOp
from ..schema.resolve.program import Program
from ..schema.write.canonical import digest
from .allowlist import BASE, GenerationError, check
from .constants import Constants
from .control import emitted
from .emit.attributes import write_attributes
from .emit.function import FunctionWriter
from .emit.kinds import annotate
from .emit.table import tables
from .emit.tail import Tail
from .emit.uses import plan_uses
from .library.allowed import Allowed, ImportClash, import_block
from .library.sources import Library, Reader
from .nodes import assign, dotted, names_in
from .plan import Module
from .printer import render


def generate(graph: Graph, read: Reader, shapes: Shapes = dict) -> str:
    """The source of a standalone file for `graph`.

    Args:
        graph: a Graph; it is checked whole.
        read: gives the text of a module of `blox.ops` by its name.
        shapes: gives what is known of the model's arrays.

    Returns:
        Source that is deterministic, a fixpoint of `ruff format`, and needs jax, numpy
        and safetensors only.

    Raises:
        SpecError: the Graph is not sound.
    """
    program = graph.program()
    constants = Constants.of(graph, _taken(graph))
    library = Library(read, _taken(graph) | constants.titles)
    module = Module.of(program, library, constants, shapes)
    write_attributes(module)
    uses = plan_uses(module)
    annotate(module, uses)
    functions = [
        FunctionWriter(module, plan, uses[title]).write()
        for title, plan in module.plans.items()
    ]
    tail = Tail(library, tables(program), module.names)
    used = set().union(*map(names_in, functions))
    steps = [step.op for plan in module.plans.values() for step in plan.steps]
    controls = {type(op) for op in steps if isinstance(op, ScopeOp)}
    ops = module.carried.functions(used)
    try:
        allowed = library.allowed({*ops, *tail.functions}) | emitted(controls)
    except ImportClash as error:
        raise GenerationError.one("generate", "", str(error)) from None
    text = _render(module, functions, used, list(ops.values()), tail, allowed)
    check(text, allowed)
    return text


def _render(
    module: Module,
    functions: list[ast.FunctionDef],
    used: set[str],
    ops: list[ast.FunctionDef],
    tail: Tail,
    allowed: Allowed,
) -> str:
    aliases = module.aliases()
    model: list[list[ast.stmt]] = [
        [f, assign(aliases[f.name], dotted(f.name))] if f.name in aliases else [f]
        for f in functions
    ]
    before: list[list[ast.stmt]] = [[f] for f in (*ops, *tail.before)]
    after: list[list[ast.stmt]] = [[f] for f in tail.after]
    parts: list[Sequence[ast.stmt]] = [*before, tail.tables, *after]
    used = used.union(*(names_in(statement) for part in parts for statement in part))
    constants = module.constants.statements(used)
    return (
        _environment()
        .get_template("model.py.jinja")
        .render(
            docstring=render([ast.Expr(ast.Constant(_about(module.program)))]),
            imports=_imports(used, allowed),
            constants=render(constants),
            ops=map(render, before),
            functions=map(render, model),
            tables=render(tail.tables),
            tail=map(render, after),
        )
    )


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader(__name__.rpartition(".")[0], "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def _imports(used: Set[str], ops: Allowed) -> str:
    """What a file imports: what it speaks of, as its ops and the rest import it."""
    known = (BASE | ops).imports
    lines = [line for name, line in known.items() if name in {*used, "Any", "Array"}]
    return import_block(lines)


def _taken(graph: Graph) -> set[str]:
    """The names of the user that stand in a file as they are."""
    names = {graph.name, *graph.attributes}
    for title, function in graph.functions.items():
        names |= {title, *function.inputs, *function.attributes}
    return names


def _about(program: Program) -> str:
    """The docstring: what the model is, where from, its size, its digest, how to use it."""
    graph = program.graph
    leaves = program.leaves().values()
    count = sum(math.prod(leaf.full_shape) for leaf in leaves)
    meta = graph.metadata
    size = f"{count:,} parameters in {len(leaves)} arrays."
    about = " ".join(meta.description.split())
    lines = textwrap.wrap(
        f"{graph.name}: {about}" if about else f"{graph.name}: {size}", 85
    )
    facts = [size] if about else []
    for label, value in (("Source", meta.source), ("License", meta.license)):
        if value:
            facts.append(f"{label}: {' '.join(value.split())}.")
    lines += ["", *textwrap.wrap(" ".join(facts), 85)]
    lines += [f"Made by blox of {digest(graph)}", ""]
    entry = program.entries[graph.entries[0]]
    title = graph.name if entry.name == "main" else entry.name
    inputs = ", ".join(
        ["params", *(n for n, i in entry.function.inputs.items() if not i.optional)]
    )
    result = "outputs, state" if entry.stateful else "outputs"
    lines += [
        '    params = load_params("folder of params.safetensors")',
        f"    {result} = jax.jit({title})({inputs})",
    ]
    return "\n".join(lines)
