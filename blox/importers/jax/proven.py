"""An import that was compared with its source; layers that differ are taken apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import jax

import blox as bx
from blox.mapping.reading import describe
from blox.schema.diagnostics import Diagnostic

from ..array_names import by_name
from ..array_names import name_of as source_name
from ..origin import Origin
from ..placed import rules_of
from ..proof import compare, sizes_of
from ..report import Report
from .convert import convert
from .faults import running
from .frontends.paths import path_of
from .internals import is_tracer
from .opened import Opened
from .outputs import named_outputs
from .part import declared, part_of
from .parts import Parts
from .sized import trace
from .source import Source
from .trace import Bounds, dims_of

Imported: TypeAlias = tuple[bx.Graph, dict[str, Any], Origin]


def imported(
    source: Source,
    inputs: Mapping[str, bx.Input],
    dims: Bounds,
    without: frozenset[str] = frozenset(),
    partial: str | None = None,
) -> Imported:
    """The model, its known layers but for some as ops.

    Args:
        partial: the function or module that is imported alone.
    """
    with running(source.name, inputs):
        traced = trace(source, inputs, dims, without)
        if any(map(is_tracer, traced.closed.consts)):
            raise jax.errors.UnexpectedTracerError("captured")
    bounds = traced.dims
    if partial is not None:
        traced = part_of(traced, partial)
        inputs = declared(traced)
        bounds = {n: b for n, b in bounds.items() if n in dims_of(inputs)}
    graph, placed, context = convert(source, traced, inputs, bounds, source.name)
    named = by_name([*traced.arrays.items(), *context.values.items()])
    constants = {name: named.pop(name) for name in map(source_name, context.values)}
    structure = jax.tree.structure(source.arrays)

    def rebuilt(given: Sequence[Any]) -> Any:
        return source.rebuilt(jax.tree.unflatten(structure, given))

    whole = Opened(named, rebuilt)
    origin = Origin(
        graph,
        rules_of(graph, placed, list(named), context.joined),
        constants,
        Report(
            notes=list(context.notes),
            layers=sorted(context.classes),
            derivatives=list(context.derivatives),
            decisions=list(traced.decisions),
        ),
        {name: describe(array) for name, array in named.items()},
        whole.places(),
        whole,
    )
    return graph, origin.params(), origin


def proven(
    found: Imported,
    source: Source,
    inputs: Mapping[str, bx.Input],
    dims: Bounds,
    partial: str | None = None,
) -> Imported:
    """The model, compared with its source; with layers taken apart that differ.

    Raises:
        ModelError: it differs, whatever is taken apart.
    """
    _compare(found, source, inputs, dims, partial)
    report = found[2].report
    if report.is_equal:
        return found
    apart = []
    for layer in report.layers:
        other = imported(source, inputs, dims, frozenset({layer}), partial)
        _compare(other, source, inputs, dims, partial)
        if other[2].report.greatest < report.greatest:
            apart.append(layer)
    if apart:
        found = imported(source, inputs, dims, frozenset(apart), partial)
        _compare(found, source, inputs, dims, partial)
        report = found[2].report
        report.apart += apart
    if not report.is_equal:
        raise bx.ModelError(
            Diagnostic(
                "import-numbers",
                row.name,
                f"expected the numbers of the source, found a difference of "
                f"{row.difference:.1e} ({row.said})",
                "that is a fault of blox; check=False gives the Graph all the same",
            )
            for row in report.rows
            if not row.is_equal
        )
    return found


def _compare(
    found: Imported,
    source: Source,
    inputs: Mapping[str, bx.Input],
    dims: Bounds,
    partial: str | None,
) -> None:
    graph, _, origin = found
    leaves, structure = jax.tree_util.tree_flatten_with_path(source.arrays)
    names = [source_name(path_of(keys)) for keys, _ in leaves]
    arrays = {
        n: jax.numpy.asarray(leaf) for n, (_, leaf) in zip(names, leaves, strict=True)
    }
    own = _bounds(graph)
    if partial is not None:
        bounds = {**dims, **own}
        without = frozenset(origin.report.layers)
        parts = Parts(source, inputs, bounds, without, partial, names)
        every = parts.sizes(graph)
        compare(
            graph, parts.run, arrays, origin.params, every, origin.report, low=False
        )
        return

    def run(arrays: Mapping[str, Any], given: Sequence[Any]) -> Mapping[str, Any]:
        tree = jax.tree.unflatten(structure, [arrays[n] for n in names])
        with running(source.name, inputs):
            return named_outputs(source.call(tree, *map(jax.numpy.asarray, given))[0])

    every = list(sizes_of(inputs, own))
    compare(graph, run, arrays, origin.params, every, origin.report)


def _bounds(graph: bx.Graph) -> Bounds:
    ends = ("min", "max", "multiple_of")
    return {
        name: {n: end for n in ends if (end := getattr(dim, n)) is not None}
        for name, dim in graph.dims.items()
    }
