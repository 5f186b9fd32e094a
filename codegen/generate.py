"""`generate`: a Graph as one standalone file of Python."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Set

from ..schema.graph import Graph
from ..schema.known import Shapes
from ..schema.op import ScopeOp
from .about import about
from .allowlist import BASE, GenerationError, check
from .constants import Constants
from .control import emitted
from .emit.attributes import write_attributes
from .emit.function import FunctionWriter
from .emit.kinds import annotate
from .emit.sized import sizes_of
from .emit.table import tables
from .emit.tail import Tail
from .emit.uses import plan_uses
from .library.allowed import Allowed, ImportClash, import_block
from .library.source import assigned
from .library.sources import Library, Reader
from .names import names_of
from .nodes import assign, dotted, names_in
from .parts import Constants as ConstantsPart
from .parts import File, Function
from .plan import Module
from .printer import render
from .walk import walk


def generate(
    graph: Graph, read: Reader, shapes: Shapes = dict, *, init: bool = True
) -> str:
    """The source of a standalone file for `graph`.

    Args:
        graph: a Graph; it is checked whole.
        read: gives the text of a module of `blox.ops` by its name.
        shapes: gives what is known of the model's arrays.
        init: whether the file draws new parameters, too.

    Returns:
        Source that is deterministic, a fixpoint of `ruff format`, and needs jax, numpy
        and safetensors only.

    Raises:
        SpecError: the Graph is not sound.
    """
    program = graph.program()
    constants = Constants.of(graph, names_of(graph))
    library = Library(read, names_of(graph) | constants.titles)
    module = Module.of(program, library, constants, shapes)
    write_attributes(module)
    uses = plan_uses(module)
    annotate(module, uses)
    functions = [
        FunctionWriter(module, plan, uses[title]).write()
        for title, plan in module.plans.items()
    ]
    sizes = sizes_of(program, constants)
    tail = Tail(library, tables(program, sizes, module.names, init=init), module.names)
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
    used = used.union(*map(names_in, tail.statements), *map(_outer, ops))
    constants = render(module.constants.statements(used))
    file = File(
        render([ast.Expr(ast.Constant(about(module.program)))]),
        _imports(used, allowed),
        ConstantsPart([constants] if constants else []),
        [
            *(Function(render([op])) for op in ops),
            *(_function(function, aliases) for function in functions),
            *tail.parts(),
        ],
    )
    return f"{file}\n"


def _function(function: ast.FunctionDef, aliases: Mapping[str, str]) -> Function:
    name = function.name
    other = [aliases[name]] if name in aliases else []
    return Function(
        render([function]), [render([assign(o, dotted(name))]) for o in other]
    )


def _outer(op: ast.FunctionDef) -> set[str]:
    """The names that an op speaks of, but for its own."""
    own = {a.arg for a in walk(op.args) if isinstance(a, ast.arg)}
    return names_in(op) - own - assigned(op)


def _imports(used: Set[str], ops: Allowed) -> str:
    """What a file imports: what it speaks of, as its ops and the rest import it."""
    known = (BASE | ops).imports
    lines = [line for name, line in known.items() if name in {*used, "Any", "Array"}]
    return import_block(lines)
