"""`bx.from_jax`: a model of JAX as a Graph and Params."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax import export

import blox as bx

from ..regions import close, identifier, needed, tidy, tree
from ..trace import Param, Path, Value
from ..views import View
from ..write import Leaf, write
from . import rules
from .context import Context
from .flatten import flatten
from .internals import clear_caches, plain_size
from .lower import Lowering
from .source import Source

__all__ = ["import_source", "path_of", "rules"]


def import_source(
    source: Source,
    inputs: Mapping[str, bx.Input],
    *,
    name: str,
    without: frozenset[str] = frozenset(),
) -> tuple[bx.Graph, dict[str, Leaf], Context]:
    """The Graph of a model, and where its arrays lie.

    Args:
        without: classes of layers that are traced like any other module.
    """
    specs = symbolic(inputs)
    leaves, structure = jax.tree_util.tree_flatten_with_path(source.arrays)
    shapes = [jax.ShapeDtypeStruct(np.shape(x), x.dtype) for _, x in leaves]
    names: list[str] = []

    def call(arrays: Any, *given: Any) -> Any:
        outputs, updates = source.call(arrays, *given)
        found = named_outputs(outputs)
        names.extend(found)
        return list(found.values()), dict(updates)

    clear_caches()
    try:
        with source.marked(without):
            closed = jax.make_jaxpr(call)(
                jax.tree.unflatten(structure, shapes), *specs.values()
            )
    finally:
        clear_caches()
    paths = [path_of(keys) for keys, _ in leaves]
    kept = [
        Param(tuple(s.shape), str(s.dtype), path=p, kind=source.kinds.get(p, "param"))
        for p, s in zip(paths, shapes, strict=True)
    ]
    flowing = [
        Value(tuple(map(plain_size, s.shape)), str(s.dtype), n)
        for n, s in specs.items()
    ]
    context = Context()
    lower = Lowering(context)
    given = map(View.of, [*kept, *flowing])
    environment = dict(zip(closed.jaxpr.invars, given, strict=True))
    found = lower.run(flatten(closed.jaxpr, closed.consts), environment)
    if context.missing:
        raise bx.SpecError.one("import", name, str(context.missing))
    outputs = [lower.array(v) for v in found if v is not None]
    root = tree(needed(lower.items, outputs))
    root.inputs = {value: value.hint for value in flowing}
    root.scope = ()
    tidy(root)
    close(root, dict(zip(names, outputs, strict=False)))
    graph, placed = write(root, inputs, name)
    return graph, placed, context


def symbolic(inputs: Mapping[str, bx.Input]) -> dict[str, jax.ShapeDtypeStruct]:
    """The inputs as JAX traces them, dims as symbols."""
    scope = export.SymbolicScope()
    specs = {}
    for name, declared in inputs.items():
        text = ", ".join(map(str, declared.shape))
        shape = export.symbolic_shape(text, scope=scope) if declared.shape else ()
        dtype = "float32" if declared.dtype == "float" else declared.dtype
        specs[name] = jax.ShapeDtypeStruct(shape, dtype)
    return specs


def named_outputs(outputs: Any) -> dict[str, Any]:
    """The arrays of what a model gives, by name."""
    leaves = jax.tree_util.tree_flatten_with_path(outputs)[0]
    if len(leaves) == 1:
        return {"out": leaves[0][1]}
    found: dict[str, Any] = {}
    for keys, array in leaves:
        parts = [
            identifier(p) if isinstance(p, str) else f"out_{p}" for p in path_of(keys)
        ]
        found["_".join(parts)] = array
    return found


def path_of(keys: Sequence[Any]) -> Path:
    """Keys of JAX as a path."""
    found: list[str | int] = []
    for key in keys:
        for attribute in ("name", "key", "idx"):
            if hasattr(key, attribute):
                found.append(getattr(key, attribute))
                break
    return tuple(found)


def import_function(
    function: Callable[..., Any],
    params: Any,
    inputs: Mapping[str, bx.Input],
    name: str,
) -> tuple[bx.Graph, dict[str, Leaf]]:
    """A function of a tree of arrays and of inputs."""
    source = Source(lambda p, *xs: (function(p, *xs), {}), params, name)
    graph, leaves, _ = import_source(source, inputs, name=name)
    return graph, leaves
