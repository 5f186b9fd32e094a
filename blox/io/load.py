"""`bx.load`: a Graph and its Params, checked whole before any array is read."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from blox.schema import Graph, SpecError, WeightsError
from blox.schema.diagnostics import Diagnostic, bounded, quote
from blox.weights import Headers, read_headers
from blox.weights.files import shown

from . import hub
from .match import fit
from .spec import PathLike, is_single, is_spec, parse_spec, spec_files

_ATTEMPTS = 5


def load(
    path: PathLike,
    *,
    dtype: Any = None,
    mmap: bool = True,
    strict: bool = False,
    progress: bool | None = None,
) -> tuple[Graph, dict[str, Any]]:
    """The model at `path`: `graph, params = bx.load("model")`.

    The Graph is checked completely before a weight header is looked at, and the headers
    against the Graph before an array is made. Copies of a repeat may be stacked or lie
    one by one in the file, whichever way the Graph has them.

    Args:
        path: a model folder, a single self-describing `.safetensors` file, or
            `hf://owner/name[@revision]`.
        dtype: parameters of dtype `float` are cast to it; state and buffers stay.
        mmap: on CPU, arrays use the file's own pages, read when first needed. False
            reads copies: do that where others may rewrite the files in place.
        strict: refuse weights that were saved with another Graph, even if they fit;
            otherwise that is a warning.
        progress: show a bar for long work; by default on a terminal.

    Returns:
        The Graph and Params, a nested dict of arrays by graph path on JAX's default
        device, with a list where copies of an unrolled repeat lie.

    Raises:
        SpecError: all faults of the Graph. WeightsError: all differences between
            weights and Graph, or a weight file that is not sound.
    """
    graph, headers = read_model(path)
    params, findings = read_params(
        graph, headers, dtype=dtype, mmap=mmap, strict=strict, progress=progress
    )
    for diagnostic in findings:
        warnings.warn(str(diagnostic), stacklevel=2)
    return graph, params


def read_params(
    graph: Graph,
    headers: Headers,
    *,
    dtype: Any = None,
    mmap: bool = True,
    strict: bool = False,
    progress: bool | None = None,
) -> tuple[dict[str, Any], list[Diagnostic]]:
    """Params of a sound Graph by the headers of its weights, and warnings (`load`)."""
    # JAX takes a second to import: not for a file that was refused before.
    import jax
    import numpy as np

    from .assemble import assemble, grow

    x64 = jax.dtypes.canonicalize_dtype(np.int64) == np.int64
    target = _floating(dtype, x64=x64)
    found = fit(headers, graph, x64=x64)
    if any(strict or d.severity == "error" for d in found.findings):
        raise WeightsError(bounded(found.findings))
    program = graph.program()
    leaves = program.leaves()
    arrays = assemble(
        headers,
        found.pieces,
        {path: leaf.full_shape for path, leaf in leaves.items()},
        mmap=mmap,
        progress=progress is not False,
    )
    if target is not None:
        for name, leaf in leaves.items():
            if leaf.kind == "param" and leaf.dtype == "float":
                arrays[name] = arrays[name].astype(target)
    params: dict[str, Any] = grow(program.tree, arrays)
    return params, found.findings


def read_model(path: PathLike) -> tuple[Graph, Headers]:
    """The sound Graph at `path` and the headers of its weights; no array is read.

    Raises:
        SpecError: all faults of the Graph. WeightsError: no weights, or unsound ones.
    """
    place = hub.local(path)
    if is_spec(place):
        hint = "give the folder that it is in"
        wanted = "expected a model folder or a single file, found a Graph alone"
        raise SpecError.one("file-model", shown(place), wanted, hint)
    files = spec_files(place)
    for left in reversed(range(_ATTEMPTS)):
        graph = parse_spec(files)
        graph.program()
        place = hub.with_weights(path, place)
        headers = read_headers(place)
        # A save may have put another model into place meanwhile.
        before, files = files, _again(place, files)
        if files == before or not left:
            return graph, headers
    raise AssertionError("unreachable")


def _again(place: Path, files: dict[str, bytes]) -> dict[str, bytes]:
    return files if is_single(place) else spec_files(place)


def _floating(dtype: Any, *, x64: bool) -> Any:
    if dtype is None:
        return None
    import jax.numpy as jnp

    try:
        target = jnp.dtype(dtype)
    except TypeError:
        target = None
    if target is None or not jnp.issubdtype(target, jnp.floating):
        wanted = "expected a floating dtype such as 'bfloat16'"
        raise WeightsError(
            Diagnostic("weights-dtype", "dtype", f"{wanted}, found {quote(dtype)}")
        )
    if target.itemsize > 4 and not x64:
        raise WeightsError(
            Diagnostic(
                "weights-x64",
                "dtype",
                "expected at most 32 bits per value, found float64",
                'jax.config.update("jax_enable_x64", True) allows it',
            )
        )
    return target
