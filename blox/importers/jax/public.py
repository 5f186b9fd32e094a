"""`bx.from_jax`: a model of JAX as a Graph, its Params, and the way back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

import blox as bx
from blox.schema.diagnostics import quote
from blox.schema.names import name_of

from ..origin import Origin, rules_of
from ..origin import name_of as source_name
from ..regions import snake
from ..trace import Path
from .convert import convert
from .frontends.functions import marked_functions
from .frontends.paths import path_of
from .source import Kind, Source
from .trace import Bounds, trace


def from_jax(
    model: Any,
    inputs: Mapping[str, bx.Input],
    params: Any = None,
    *,
    name: str | None = None,
    dims: Bounds | None = None,
) -> tuple[bx.Graph, dict[str, Any], Origin]:
    """A model of JAX as a Graph and Params: of Equinox, Flax, Haiku, or a plain function.

        graph, params, origin = bx.from_jax(
            lambda model, x: jax.vmap(model)(x), {"x": bx.Input(["batch", 8])}, model
        )

    The model's code runs, under a trace of JAX, with the dims of the inputs as symbols.

    Args:
        model: a module of Equinox or NNX; a module of Linen or a transformed function of
            Haiku, with its `params`; or `function(params, *inputs)`, whose params are a
            tree of arrays, or a module of Equinox or NNX. Without `params` a function is
            of its inputs alone.
        inputs: what it is called with, in order. The names are those of the Graph.
        params: variables of Linen; params of Haiku, or a tuple of these and its state; or
            what a function takes first.
        name: of the Graph; by default that of the class or function.
        dims: what bounds dims of the inputs: `{"seq": {"max": 512}}`.

    Returns:
        The Graph; its Params, those of the model; and the `Origin`, whose
        `export(params)` gives them back to the model's code.

    Raises:
        SpecError: the model does what no op of blox does, all of it at once, each with its
            module, file and line.
    """
    source = source_of(model, params, name, list(inputs))
    traced = trace(source, inputs, dims or {})
    graph, placed, context = convert(source, traced, inputs, dims or {}, source.name)
    arrays = {source_name(path): array for path, array in traced.arrays.items()}
    constants = {source_name(path): array for path, array in context.values.items()}
    leaves, structure = jax.tree_util.tree_flatten_with_path(source.arrays)
    names = [source_name(path_of(keys)) for keys, _ in leaves]

    def rebuilt(found: Mapping[str, Any]) -> Any:
        tree = jax.tree.unflatten(structure, [found[n] for n in names])
        return source.rebuilt(tree)

    origin = Origin(
        graph, rules_of(graph, placed, names), constants, "", arrays, rebuilt
    )
    return graph, origin.params(), origin


def source_of(
    model: Any, params: Any, name: str | None, inputs: Sequence[str] = ()
) -> Source:
    """The model as a function of its arrays, by the library that wrote it.

    Args:
        inputs: the names of what it is called with.

    Raises:
        SpecError: it is none that blox knows.
    """
    wanted = name_of(snake(name or _name(model)))
    if "equinox" in sys.modules:
        from .frontends import eqx

        if eqx.is_model(model) and params is None:
            return eqx.source_of(lambda m, *xs: m(*xs), model, wanted)
        if callable(model) and eqx.has_modules(params):
            return eqx.source_of(model, params, wanted)
    if "flax.nnx" in sys.modules:
        from .frontends import nnx

        if nnx.is_model(model) and params is None:
            return nnx.source_of(None, model, wanted, inputs)
        if callable(model) and nnx.is_model(params):
            return nnx.source_of(model, params, wanted, inputs)
    if not callable(model):
        raise bx.SpecError.one(
            "import-model",
            "",
            f"expected a module of Equinox, Flax or Haiku, or a function, found "
            f"{quote(model)}",
            "bx.from_jax(function, inputs, params)",
        )
    return function_source(model, params, wanted)


def function_source(function: Callable[..., Any], params: Any, name: str) -> Source:
    """A plain function of a tree of arrays and of its inputs."""
    arrays = {} if params is None else params

    def call(given: Any, *inputs: Any) -> tuple[Any, Mapping[Path, Any]]:
        return (function(*inputs) if params is None else function(given, *inputs)), {}

    kinds: dict[Path, Kind] = {
        path_of(keys): "buffer"
        for keys, leaf in jax.tree_util.tree_flatten_with_path(arrays)[0]
        if not jax.numpy.issubdtype(leaf.dtype, jax.numpy.floating)
    }
    code = getattr(function, "__code__", None)
    return Source(
        call, arrays, name, lambda without: marked_functions(code), kinds=kinds
    )


def _name(model: Any) -> str:
    found = getattr(model, "__name__", "") or type(model).__name__
    return found if found.isidentifier() else "model"
