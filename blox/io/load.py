"""`bx.load`: a Graph and its Params, checked whole before any array is read."""

from __future__ import annotations

import warnings
from typing import Any

from blox.schema import Graph, WeightsError
from blox.schema.diagnostics import Diagnostic, quote
from blox.weights import Headers
from blox.weights.dtypes import FLOATING

from .match import castable, fit
from .model import again_if_changed, read_model
from .spec import PathLike, read_graph


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
        dtype: parameters of dtype `float` are cast to it, on the host, whatever their
            width; state and buffers stay, and so do integers.
        mmap: on CPU, arrays use the file's own pages, read when first needed. False
            reads copies: do that where others may rewrite the files in place.
        strict: refuse weights that were saved with another Graph, even if they fit;
            otherwise that is a warning.
        progress: a bar, where standard error is a terminal: None for long work, True
            for any, False for none.

    Returns:
        The Graph and Params, a nested dict of arrays by graph path on JAX's default
        device, with a list where copies of an unrolled repeat lie.

    Raises:
        SpecError: all faults of the Graph. WeightsError: all differences between
            weights and Graph, or a weight file that is not sound.
    """

    def use() -> tuple[Graph, dict[str, Any], list[Diagnostic]]:
        model = read_model(path)
        params, findings = read_params(
            model.graph,
            model.headers,
            dtype=dtype,
            mmap=mmap,
            strict=strict,
            progress=progress,
        )
        return model.graph, params, [*model.notes, *findings]

    graph, params, findings = again_if_changed(path, use)
    for diagnostic in findings:
        warnings.warn(str(diagnostic), stacklevel=2)
    return graph, params


def load_graph(path: PathLike) -> Graph:
    """The Graph at `path` without its weights: `graph = bx.load_graph("model")`.

    Args:
        path: a model folder, with weights or without, a `.json` or `.msgpack` file that
            holds a Graph, a single `.safetensors` file, or `hf://owner/name[@revision]`.

    Raises:
        SpecError: all faults of the Graph, or there is none at `path`.
    """
    graph = read_graph(path)
    graph.program()
    return graph


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
    import jax.numpy as jnp

    from blox.weights.loading import x64_enabled

    from .assemble import assemble, grow

    x64 = x64_enabled()
    target = _floating(dtype, x64=x64)
    found = fit(headers, graph, x64=x64, cast=target is not None)
    if any(strict or d.severity == "error" for d in found.findings):
        raise WeightsError(found.findings)
    program = graph.program()
    leaves = program.leaves()
    arrays = assemble(
        headers,
        found.pieces,
        {path: leaf.full_shape for path, leaf in leaves.items()},
        dtypes={path: jnp.dtype(dtype) for path, dtype in found.dtypes.items()}
        | {
            path: target
            for path, leaf in leaves.items()
            if target is not None
            and castable(leaf)
            and any(
                headers.tensors[p.name].dtype != target.name for p in found.pieces[path]
            )
        },
        mmap=mmap,
        progress=progress,
    )
    params: dict[str, Any] = grow(program.tree, arrays)
    return params, found.findings


def _floating(dtype: Any, *, x64: bool) -> Any:
    if dtype is None:
        return None
    import jax.numpy as jnp

    try:
        target = jnp.dtype(dtype)
    except (TypeError, ValueError):
        target = None
    if target is None or target.name not in FLOATING:
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
