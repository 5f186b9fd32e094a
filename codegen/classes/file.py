"""The text of a file of classes, held to what it may speak of."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence, Set

from ...schema.dtypes import FLOATS
from ...schema.op import ScopeOp
from ...schema.parameters import Leaf
from ...schema.resolve.program import Program
from ...schema.syntax import parsed
from ..about import about
from ..allowlist import BASE, GenerationError, check
from ..control import emitted
from ..emit.tail import drawing_functions, loader_functions
from ..library.allowed import Allowed, ImportClash, import_block
from ..nodes import assign, literal
from ..parts import Part
from ..plan import Module
from ..printer import render
from ..printer.remarks import Remarks, set_remarks
from .members import Blueprint
from .parts import ClassFile, Filled, Helper
from .target import Target

OWN = frozenset(
    """
    eqx nnx load stored_arrays Buffer M Self TypeVar State STACKED PINNED keys key rngs vars
    """.split()  # noqa: SIM905
)
"""What files of classes define or import beside what all files do."""
STACKED = "Below these, copies on an axis may lie one by one in a file."
PINNED = "The types of these, by name or last name; of all else, any float will do."


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
    leaves = module.program.leaves()
    stacked, pinned = _stacked(leaves), _pinned(leaves)
    listed = any(part.isdigit() for path in leaves for part in path.split("."))
    facts = root.title, bool(stacked), listed, bool(pinned)
    used = set().union(*map(_names, model))
    helpers: list[Helper] = [
        part(*facts) for n, part in writer.HELPERS.items() if n in used
    ]
    load = [Filled(*facts), writer.LOAD(*facts)]
    stored = {
        **drawing_functions(module.library, used),
        **loader_functions(module.library),
    }
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
            *_tables(stacked, pinned),
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


def _stacked(leaves: Mapping[str, Leaf]) -> list[str]:
    """The paths below which an axis of arrays is one of copies, one for each axis."""
    found: dict[str, int] = {}
    for path, leaf in leaves.items():
        parts = path.split(".")
        heads = [".".join(parts[: len(parts) - below]) for below in leaf.below]
        for head in heads:
            found[head] = max(found.get(head, 0), heads.count(head))
    return [head for head, count in found.items() for _ in range(count)]


def _pinned(leaves: Mapping[str, Leaf]) -> dict[str, str]:
    """The floating types that arrays have in every file, by last name where that does."""
    kinds: dict[str, set[str]] = {}
    for path, leaf in leaves.items():
        kinds.setdefault(path.rpartition(".")[2], set()).add(leaf.dtype)
    found: dict[str, str] = {}
    for path, leaf in leaves.items():
        last = path.rpartition(".")[2]
        if kinds[last] & FLOATS - {"float"}:
            found[last if len(kinds[last]) == 1 else path] = leaf.dtype
    return found


def _tables(stacked: Sequence[str], pinned: Mapping[str, str]) -> Iterator[str]:
    """What the loader reads of the places of arrays."""
    values = {
        "STACKED": (tuple(stacked), STACKED), "PINNED": ({**pinned}, PINNED)
    }  # fmt: skip
    for title, (value, remark) in values.items():
        if value:
            statement = assign(title, literal(value))
            set_remarks(statement, Remarks((f"# {remark}",)))
            yield render([statement])


def _text(node: ast.stmt) -> str | Part:
    return render([node])
