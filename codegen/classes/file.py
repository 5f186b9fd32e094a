"""The text of a file of classes, held to what it may speak of."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence, Set

from ...schema.op import ScopeOp
from ...schema.resolve.program import Program
from ...schema.syntax import parsed
from ..about import about
from ..allowlist import BASE, GenerationError, check
from ..control import emitted
from ..emit.tail import loader_functions
from ..library.allowed import Allowed, ImportClash, import_block
from ..nodes import assign, literal
from ..parts import Part
from ..plan import Module
from ..printer import render
from ..printer.remarks import Remarks, set_remarks
from .members import Blueprint
from .parts import ClassFile, Helper, Taken
from .target import Target

OWN = frozenset(
    """
    eqx nnx load stored_arrays Buffer M Self TypeVar State STACKED keys key rngs vars
    """.split()  # noqa: SIM905
)
"""What files of classes define or import beside what all files do."""
STACKED = "Below these, copies on an axis may lie one by one in a file."


def text_of(writer: Target, model: Sequence[ast.stmt], root: Blueprint) -> str:
    """A file.

    Args:
        writer: the library.
        model: the functions and classes of the model, in order.
        root: the class of the model.

    Raises:
        GenerationError: it would hold what no generated file may.
    """
    module = writer.classes.module
    stacked = _stacked(module.program)
    used = set().union(*map(_names, model))
    helpers: list[Helper] = [
        part(root.title, bool(stacked))
        for n, part in writer.HELPERS.items()
        if n in used
    ]
    load = [
        Taken(root.title, bool(stacked)), writer.LOAD(root.title, bool(stacked))
    ]  # fmt: skip
    stored = loader_functions(module.library)
    carried = module.carried.functions(used)
    texts = [s for part in (*helpers, *load) for s in parsed(str(part)).body]
    for statement in (*texts, *stored.values(), *carried.values()):
        used |= _names(statement)
    allowed = _allowed(writer, {*carried, *stored}, texts)
    types = [*_types(writer, used)]
    program = module.program
    usage = _usage(writer, root)
    file = ClassFile(
        render([ast.Expr(ast.Constant(about(program, usage)))]),
        _imports(used, allowed),
        [*types, *_constants(module, used)],
        [
            *helpers,
            *map(_text, carried.values()),
            *map(_text, model),
            *([_table(stacked)] if stacked else []),
            *map(_text, stored.values()),
            *load,
        ],
    )
    text = f"{file}\n"
    check(text, allowed, classes=True)
    return text


def _names(node: ast.AST) -> set[str]:
    """The names that a statement speaks of; fields of a class are none."""
    fields = {
        id(s.target)
        for n in ast.walk(node)
        if isinstance(n, ast.ClassDef)
        for s in n.body
        if isinstance(s, ast.AnnAssign)
    }
    found = (n for n in ast.walk(node) if isinstance(n, ast.Name))
    return {n.id for n in found if id(n) not in fields}


def _allowed(writer: Target, carried: Set[str], texts: Sequence[ast.stmt]) -> Allowed:
    """What the file may speak of."""
    module = writer.classes.module
    steps = [step.op for plan in module.plans.values() for step in plan.steps]
    controls = {type(op) for op in steps if isinstance(op, ScopeOp)}
    names = frozenset(_attributes(module.program))
    try:
        found = module.library.allowed(carried) | emitted(controls) | writer.EMITS
        imports = {**BASE.imports, **found.imports}
        found |= Allowed.of(texts, imports)
        return found | Allowed({}, frozenset(), names, frozenset())
    except ImportClash as error:
        raise GenerationError.one("generate", "", str(error)) from None


def _attributes(program: Program) -> Iterator[str]:
    """The names of modules, arrays, methods and attributes."""
    for instance in program.instances:
        yield instance.name
        yield from instance.own
        for step in instance.steps:
            yield from step.scope
            yield from type(step.op).model_fields
            if isinstance(step.tree, dict):
                yield from map(str, step.tree)
    yield program.graph.name


def _imports(used: Set[str], allowed: Allowed) -> str:
    """What a file imports: what it speaks of."""
    known = (BASE | allowed).imports
    lines = [line for name, line in known.items() if name in {*used, "Any", "Array"}]
    return import_block(lines)


def _types(writer: Target, used: set[str]) -> Iterator[str]:
    """The types that a file gives names, and what they are made of."""
    if "State" in used:
        yield "State = dict[str, Any]"
    if "M" in used:
        used.add("TypeVar")
        yield f'M = TypeVar("M", bound={writer.MODULE})'


def _constants(module: Module, used: Set[str]) -> Iterator[str]:
    if text := render(module.constants.statements(used)):
        yield text


def _usage(writer: Target, root: Blueprint) -> list[str]:
    program = writer.classes.module.program
    entry = program.entries[program.graph.entries[0]]
    inputs = [n for n, given in entry.function.inputs.items() if not given.optional]
    return [
        '    model = load("folder of params.safetensors")',
        f"    {writer.usage(root.title, inputs, entry)}",
    ]


def _stacked(program: Program) -> list[str]:
    """The paths below which the first axis of arrays is one of copies."""
    found: dict[str, None] = {}
    for path, leaf in program.leaves().items():
        if leaf.below:
            parts = path.split(".")
            found[".".join(parts[: len(parts) - leaf.below[0]])] = None
    return [*found]


def _table(stacked: Sequence[str]) -> str:
    statement = assign("STACKED", literal(tuple(stacked)))
    set_remarks(statement, Remarks((f"# {STACKED}",)))
    return render([statement])


def _text(node: ast.stmt) -> str | Part:
    return render([node])
