"""`bx.verify`: are the bytes those that were saved, the numbers those promised?"""

from __future__ import annotations

from pathlib import Path

from blox.schema import BloxError, Graph, Report
from blox.weights import Headers, locate
from blox.weights import verify as verify_bytes

from . import hub
from .contract import run_examples
from .examples import EXAMPLES, read_examples
from .load import read_model, read_params
from .spec import PathLike, is_single
from .validate import tell, validate


def verify(path: PathLike, *, progress: bool | None = None) -> Report:
    """Reads all of a model, compares its checksums, and runs its examples.

    Never raises for what is wrong with the model. Later checks need earlier ones to
    pass: structure and headers (as `validate`), sha256 of every weight file, examples.

    Args:
        path: a model folder, a single `.safetensors` file, or
            `hf://owner/name[@revision]`.
        progress: show a bar for long work; by default on a terminal.

    Returns:
        A Report; warnings where there is no checksum or no example to hold it against.
    """
    report = validate(path, shapes=False)
    if not report.ok:
        return report
    try:
        graph, headers = read_model(path)
        tell(report, verify_bytes(headers, progress=progress is not False))
        if report.ok:
            place = hub.with_weights(path, hub.local(path))
            _run(place, graph, headers, report, progress=progress)
    except BloxError as error:
        tell(report, error.diagnostics)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        report.error("file-read", "", f"can't be read: {reason}")
    return report


def _run(
    place: Path,
    graph: Graph,
    headers: Headers,
    report: Report,
    *,
    progress: bool | None,
) -> None:
    file = None if is_single(place) else locate(place, EXAMPLES)
    if file is None:
        wanted = f"expected {EXAMPLES}, found none: no numbers were compared"
        report.warn("examples-none", "", wanted, "blox.save(..., examples=) makes them")
        return
    examples, stored = read_examples(file, graph)
    tell(report, verify_bytes(examples))
    if report.ok:
        params, _ = read_params(graph, headers, progress=progress)
        tell(report, run_examples(graph, params, examples, stored))
