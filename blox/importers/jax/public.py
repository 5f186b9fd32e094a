"""`bx.from_jax`: a model of JAX as a Graph, its Params, and the way back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import numpy as np

import blox as bx
from blox.mapping.reading import describe
from blox.schema import op_class
from blox.schema.diagnostics import Diagnostic, bounded, quote
from blox.schema.names import is_name, name_of

from ..array_names import by_name
from ..array_names import name_of as source_name
from ..origin import Origin
from ..placed import rules_of
from ..proof import Report, compare
from ..regions import snake
from ..trace import Path
from .convert import convert
from .frontends.functions import marked_functions
from .frontends.paths import path_of
from .opened import Opened
from .source import Kind, Source
from .trace import Bounds, named_outputs, trace

_ALONE = "param"
"""The name of params that are one array."""


def from_jax(
    model: Any,
    inputs: Mapping[str, bx.Input],
    params: Any = None,
    *,
    name: str | None = None,
    dims: Bounds | None = None,
    check: bool = True,
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
        check: compare the Graph with the model on random inputs: `print(origin.report)`. A
            known layer whose numbers differ is taken apart, and named there.

    Returns:
        The Graph; its Params, those of the model; and the `Origin`, whose
        `export(params)` gives them back to the model's code.

    Raises:
        SpecError: the model does what no op of blox does, all of it at once, each with its
            module, file and line. ModelError: numbers differ.
    """
    _check_names(inputs)
    source = source_of(model, params, name, list(inputs))
    imported = _imported(source, inputs, dims or {}, frozenset())
    if not check:
        return imported
    return _proven(imported, source, inputs, dims or {})


def _check_names(inputs: Mapping[str, bx.Input]) -> None:
    strange = (
        Diagnostic(
            "import-model",
            quote(name),
            "expected a name of ASCII letters, digits and inner underscores that begins "
            "with a letter and is no word of Python",
            "the names are those of the Graph, not of the function: inputs are given "
            "in order",
        )
        for name in inputs
        if not is_name(name)
    )
    if listed := bounded(strange):
        raise bx.SpecError(listed)


Imported: TypeAlias = tuple[bx.Graph, dict[str, Any], Origin]


def _imported(
    source: Source,
    inputs: Mapping[str, bx.Input],
    dims: Bounds,
    without: frozenset[str],
) -> Imported:
    """The model, its known layers but for some as ops."""
    traced = trace(source, inputs, dims, without)
    graph, placed, context = convert(source, traced, inputs, dims, source.name)
    named = by_name([*traced.arrays.items(), *context.values.items()])
    constants = {name: named.pop(name) for name in map(source_name, context.values)}
    structure = jax.tree.structure(source.arrays)

    def rebuilt(given: Sequence[Any]) -> Any:
        return source.rebuilt(jax.tree.unflatten(structure, given))

    whole = Opened(named, rebuilt)
    origin = Origin(
        graph,
        rules_of(graph, placed, list(named)),
        constants,
        Report(notes=list(context.notes), layers=sorted(context.classes)),
        {name: describe(array) for name, array in named.items()},
        whole.places(),
        whole,
    )
    return graph, origin.params(), origin


def _proven(
    imported: Imported, source: Source, inputs: Mapping[str, bx.Input], dims: Bounds
) -> Imported:
    """The model, compared with its source; with layers taken apart that differ.

    Raises:
        ModelError: it differs, whatever is taken apart.
    """
    _compare(imported, source, inputs, dims)
    report = imported[2].report
    if report.is_equal:
        return imported
    apart = []
    for layer in report.layers:
        other = _imported(source, inputs, dims, frozenset({layer}))
        _compare(other, source, inputs, dims)
        if other[2].report.greatest < report.greatest:
            apart.append(layer)
    if apart:
        imported = _imported(source, inputs, dims, frozenset(apart))
        _compare(imported, source, inputs, dims)
        report = imported[2].report
        report.notes += [f"{n}: taken apart, as no op gives its numbers" for n in apart]
    if not report.is_equal:
        raise bx.ModelError(
            Diagnostic(
                "import-numbers",
                row.name,
                f"expected the numbers of the source, found a difference of "
                f"{row.difference:.1e} ({row.sizes})",
                "that is a fault of blox; check=False gives the Graph all the same",
            )
            for row in report.rows
            if not row.is_equal
        )
    return imported


def _compare(
    imported: Imported, source: Source, inputs: Mapping[str, bx.Input], dims: Bounds
) -> None:
    graph, _, origin = imported
    leaves, structure = jax.tree_util.tree_flatten_with_path(source.arrays)
    names = [source_name(path_of(keys)) for keys, _ in leaves]

    def run(arrays: Mapping[str, Any], given: Sequence[Any]) -> Mapping[str, Any]:
        tree = jax.tree.unflatten(structure, [arrays[n] for n in names])
        return named_outputs(source.call(tree, *given)[0])

    arrays = {
        n: jax.numpy.asarray(leaf) for n, (_, leaf) in zip(names, leaves, strict=True)
    }
    compare(graph, run, arrays, origin.params, inputs, dims, origin.report)


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
    if not name and op_class(wanted) is not None:
        wanted = f"{wanted}_model"  # the file may have that op
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
    if "flax.linen" in sys.modules:
        from .frontends import linen

        if linen.is_model(model):
            return linen.source_of(model, params, wanted, inputs)
    if "haiku" in sys.modules:
        from .frontends import hk

        if hk.is_model(model):
            return hk.source_of(model, params, wanted, inputs)
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
    """A plain function of a tree of arrays, or of one array, and of its inputs.

    Raises:
        SpecError: something in the tree is no array.
    """
    alone = params is not None and jax.tree_util.all_leaves([params])
    arrays = {_ALONE: params} if alone else {} if params is None else params

    def whole(tree: Any) -> Any:
        return tree[_ALONE] if alone else tree

    def call(given: Any, *inputs: Any) -> tuple[Any, Mapping[Path, Any]]:
        first = () if params is None else (whole(given),)
        return function(*first, *inputs), {}

    leaves = [
        (path_of(k), x) for k, x in jax.tree_util.tree_flatten_with_path(arrays)[0]
    ]
    _check_arrays(leaves)
    kinds: dict[Path, Kind] = {
        path: "buffer"
        for path, leaf in leaves
        if not jax.numpy.issubdtype(leaf.dtype, jax.numpy.floating)
    }
    code = getattr(function, "__code__", None)
    return Source(
        call, arrays, name, lambda without: marked_functions(code), whole, kinds
    )


def _check_arrays(leaves: Sequence[tuple[Path, Any]]) -> None:
    strange = (
        Diagnostic(
            "import-model",
            source_name(path),
            f"expected an array, found {quote(leaf)}",
            "make it one, jax.numpy.asarray(...), or bind it: functools.partial",
        )
        for path, leaf in leaves
        if not isinstance(leaf, (jax.Array, np.ndarray, np.generic))
    )
    if listed := bounded(strange):
        raise bx.SpecError(listed)


def _name(model: Any) -> str:
    found = getattr(model, "__name__", "") or type(model).__name__
    return found if found.isidentifier() else "model"
