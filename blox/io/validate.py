"""`bx.validate`: everything that can be said of a model without reading an array."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from blox.schema import BloxError, Graph, Report, WeightsError
from blox.schema.diagnostics import Diagnostic
from blox.schema.resolve.resolver import validate as validate_structure

from . import hub
from .spec import PathLike, is_single, is_spec, parse_spec, spec_files


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
            tell(report, validate_structure(graph))
        else:
            graph = _of_path(graph_or_path, report)
    except BloxError as error:
        tell(report, error.diagnostics)
        return report
    except OSError as error:
        reason = error.strerror or type(error).__name__
        report.error("file-read", "", f"can't be read: {reason}")
        return report
    if shapes and report.ok:
        from ..shapes.check import check_shapes

        check_shapes(graph, report)
    return report


def tell(report: Report, diagnostics: Iterable[Diagnostic]) -> None:
    """Add diagnostics, errors and warnings as they are."""
    for d in diagnostics:
        add = report.error if d.severity == "error" else report.warn
        add(d.code, d.path, d.message, d.hint)


def _of_path(path: PathLike, report: Report) -> Graph:
    place = hub.local(path)
    graph = parse_spec(spec_files(place))
    tell(report, validate_structure(graph))
    if report.ok and not is_spec(place):
        place = hub.with_weights(path, place)
        if is_single(place) or has_weights(place):
            _check_headers(place, graph, report)
        if not is_single(place):
            _check_examples(place, graph)
    return graph


def has_weights(folder: Path) -> bool:
    """True if a folder has anything that looks like weights of blox."""
    from blox.weights.log import LOG

    return (folder / LOG).exists() or any(folder.glob("params*.safetensors*"))


def _check_headers(place: Path, graph: Graph, report: Report) -> None:
    from blox.weights import read_headers

    from .match import fit

    try:
        found = fit(read_headers(place), graph, x64=False)
    except WeightsError as error:
        tell(report, error.diagnostics)
        return
    for d in found.findings:
        # Whoever loads decides whether x64 is on.
        wide = d.code == "weights-x64"
        tell(report, [replace(d, severity="warning") if wide else d])


def _check_examples(folder: Path, graph: Graph) -> None:
    from blox.weights import locate

    from .examples import EXAMPLES, read_examples

    file = locate(folder, EXAMPLES)
    if file is not None:
        read_examples(file, graph)
