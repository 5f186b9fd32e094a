"""`bx.verify`: are the bytes those that were saved, the numbers those promised?"""

from __future__ import annotations

from blox.schema import BloxError, Report
from blox.weights import verify as verify_bytes

from .bodies import compare_bodies, has_both
from .contract import run_examples
from .examples import EXAMPLES
from .load import read_params
from .model import again_if_changed, read_model
from .spec import PathLike
from .validate import validate


def verify(path: PathLike, *, progress: bool | None = None) -> Report:
    """Reads all of a model, compares its checksums, and runs its examples.

    Never raises for what is wrong with the model. Later checks need earlier ones to
    pass: structure and headers (as `validate`), sha256 of every weight file, ops that
    are registered and have a body (both on small random inputs), examples.

    Args:
        path: a model folder, a single `.safetensors` file, or
            `hf://owner/name[@revision]`.
        progress: a bar, as for `load`.

    Returns:
        A Report; warnings where there is no checksum or no example to hold it against.
    """
    report = validate(path, shapes=False)
    if not report.ok:
        return report
    try:
        again_if_changed(path, lambda: _verify(path, report, progress))
    except BloxError as error:
        report.extend(error.diagnostics)
    return report


def _verify(path: PathLike, report: Report, progress: bool | None) -> None:
    model = read_model(path, examples=True)
    report.extend(verify_bytes(model.headers, progress=progress))
    if not report.ok:
        return
    if has_both(model.graph):
        params, _ = read_params(model.graph, model.headers, progress=progress)
        report.extend(compare_bodies(model.graph, params))
    if model.examples is None:
        wanted = f"expected {EXAMPLES}, found none: no numbers were compared"
        report.warn("examples-none", "", wanted, "blox.save(..., examples=) makes them")
        return
    examples, stored = model.examples
    report.extend(verify_bytes(examples, progress=progress))
    if report.ok:
        params, _ = read_params(model.graph, model.headers, progress=progress)
        report.extend(run_examples(model.graph, params, examples, stored))
