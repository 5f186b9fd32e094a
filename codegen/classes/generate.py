"""`generate_classes`: a Graph as one standalone file of classes of a library."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field

from ...schema.graph import Graph
from ...schema.known import Shapes
from ..constants import Constants
from ..emit.attributes import write_attributes
from ..emit.function import FunctionWriter
from ..emit.kinds import annotate
from ..emit.uses import plan_uses
from ..library.sources import Library, Reader
from ..names import names_of
from ..plan import Module
from .blueprints import Uses, blueprints, class_title, settle_arguments
from .checks import check_names, check_paths
from .equinox import Equinox
from .file import OWN, text_of
from .known import Classes
from .layers import layer_classes
from .members import Blueprint, layers_in
from .nnx import Nnx
from .target import Target

TARGETS: dict[str, type[Target]] = {t.NAME: t for t in (Equinox, Nnx)}
"""The libraries, by name."""


def generate_classes(
    graph: Graph, read: Reader, shapes: Shapes = dict, *, target: str
) -> str:
    """The source of a standalone file of classes for `graph`.

    Args:
        graph: a Graph; it is checked whole.
        read: gives the text of a module of `blox.ops` by its name.
        shapes: gives what is known of the model's arrays.
        target: a name of `TARGETS`.

    Returns:
        Source that is deterministic and a fixpoint of `ruff format`, and needs jax,
        numpy, safetensors and the library only.

    Raises:
        SpecError: the Graph is not sound.
        GenerationError: it says what classes can't; the error names the path.
    """
    of = TARGETS[target]
    check_names(graph)
    taken = names_of(graph)
    constants = Constants.of(graph, taken | OWN)
    library = Library(read, taken | constants.titles)
    module = Module.of(graph.program(), library, constants, shapes, layers=True)
    write_attributes(module)
    uses = plan_uses(module)
    annotate(module, uses)
    module.names.taken |= OWN
    module.globals |= OWN
    functions = {
        name: FunctionWriter(module, plan, uses[name]).write()
        for name, plan in module.plans.items()
    }
    module.names.taken |= taken
    return text_of(*_model(module, uses, functions, of))


@dataclass
class _Model:
    """The functions of a file, sorted by the class whose methods they are."""

    plain: list[ast.stmt] = field(default_factory=list)
    methods: dict[Blueprint, list[ast.FunctionDef]] = field(default_factory=dict)
    read: dict[Blueprint, set[str]] = field(default_factory=dict)
    """The attributes of functions that methods read."""


def _model(
    module: Module,
    uses: Uses,
    functions: Mapping[str, ast.FunctionDef],
    target: type[Target],
) -> tuple[Target, list[ast.stmt], Blueprint]:
    """What writes the file, its functions and classes, and the class of the model."""
    found = blueprints(module, uses)
    root = found[module.program.graph.entries[0]]
    every = [*dict.fromkeys(b for b in found.values() if b is not root), root]
    check_paths(module.program, every, target.MODULE, target.TAKEN)
    layers = layer_classes((x for b in every for x in layers_in(b)), module.carried)
    classes = Classes(module, found, layers)
    writer = target(classes)
    own = [
        c
        for c in dict.fromkeys(layers.values())
        if any(writer.library(layer) is None for layer in c.layers)
    ]
    for c in own:
        c.title = module.names.fresh(class_title(c.layers[0].use.source.name))
    model = _methods(classes, target, functions)
    for blueprint in every:
        settle_arguments(blueprint, model.read.get(blueprint, set()))
    body = [
        *map(writer.layer_class, own),
        *model.plain,
        *(writer.class_def(b, _in_order(model.methods.get(b, []))) for b in every),
    ]
    return writer, body, root


def _methods(
    classes: Classes, target: type[Target], functions: Mapping[str, ast.FunctionDef]
) -> _Model:
    """The functions as methods, or as they are where they take no parameters."""
    model = _Model()
    for name, plan in classes.module.plans.items():
        methods = target.METHODS(classes, plan)
        node = methods.write(functions[name])
        blueprint = classes.functions.get(name)
        if blueprint is None:
            model.plain += [node, *classes.alias(plan)]
            continue
        node.name = methods.method(plan, blueprint) or "__call__"
        model.methods.setdefault(blueprint, []).append(node)
        model.read.setdefault(blueprint, set()).update(methods.read)
    return model


def _in_order(methods: list[ast.FunctionDef]) -> list[ast.FunctionDef]:
    return sorted(methods, key=lambda method: method.name != "__call__")
