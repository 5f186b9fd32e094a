"""`bx.validate`: everything that can be said of a model without reading an array."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from blox.schema import BloxError, Graph, Report, WeightsError
from blox.schema.diagnostics import Diagnostic
from blox.schema.resolve.resolver import validate as validate_structure
from blox.weights import Headers
from blox.weights.faults import typed_faults
from blox.weights.files import Source
from blox.weights.folder import Folder, read_folder
from blox.weights.names import BLOX
from blox.weights.reading import headers_of, headers_of_file

from . import hub
from .examples import EXAMPLES, read_examples
from .match import fit
from .spec import (
    PathLike,
    is_single,
    is_spec,
    parse_spec,
    require_folder,
    spec_faults,
    spec_file,
    spec_of_folder,
)


def validate(graph_or_path: Graph | PathLike, *, shapes: bool = True) -> Report:
    """All findings about a model; never raises for what is wrong with it.

    First the structure of the Graph, then weight headers against it where there are
    weights, then, if `shapes`, a trace of every entry with symbolic sizes within the
    bounds of `dims`, also for training where that differs. Later checks need earlier
    ones to pass. JAX is imported for shapes only.

    Args:
        graph_or_path: a Graph, a model folder, a single `.safetensors` file, a `.json`
            or `.msgpack` file that holds a Graph, or `hf://owner/name[@revision]`.
        shapes: trace.

    Returns:
        A Report of diagnostics (severity, code, graph path, message, hint); it is true
        without errors. The warning `shape-undecided` is for what JAX can't decide over
        symbolic sizes while some concrete sizes pass.
    """
    report = Report()
    try:
        if isinstance(graph_or_path, Graph):
            graph = graph_or_path
            report.extend(validate_structure(graph))
        else:
            graph = _of_path(graph_or_path, report)
    except BloxError as error:
        report.extend(error.diagnostics)
        return report
    if shapes and report.ok:
        from ..shapes.check import check_shapes

        check_shapes(graph, report)
    return report


def _of_path(path: PathLike, report: Report) -> Graph:
    place = hub.local(path)
    if is_spec(place) or is_single(place):
        graph = parse_spec(spec_file(place))
        report.extend(validate_structure(graph))
        if report.ok and is_single(place):
            with typed_faults(place):
                report.extend(_misfits(graph, lambda: headers_of_file(Source(place))))
        return graph
    with spec_faults(place):
        require_folder(place, weights=False)
    with typed_faults(place):
        graph, findings = read_folder(place, lambda folder: _of_folder(path, folder))
    report.extend(findings)
    return graph


def _of_folder(path: PathLike, folder: Folder) -> tuple[Graph, list[Diagnostic]]:
    with spec_faults(folder.path):
        graph = parse_spec(spec_of_folder(folder))
    structure = validate_structure(graph)
    findings = list(structure)
    if structure.ok:
        hub.with_weights(path, folder.path)
        if folder.log is not None or any(map(BLOX.weights, os.listdir(folder.path))):
            findings += _misfits(graph, lambda: headers_of(folder))
        file = folder.open(EXAMPLES)
        if file is not None:
            read_examples(file, graph)
    return graph, [*folder.pending(), *findings]


def _misfits(graph: Graph, read: Callable[[], Headers]) -> list[Diagnostic]:
    try:
        found = fit(read(), graph, x64=False).findings
    except WeightsError as error:
        return list(error.diagnostics)
    # Whoever loads decides whether x64 is on.
    return [
        replace(d, severity="warning") if d.code == "weights-x64" else d for d in found
    ]
