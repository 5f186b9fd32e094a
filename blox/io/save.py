"""`bx.save`: Params checked against their Graph, then all files at once or none."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from blox.schema import Graph, WeightsError, to_json
from blox.schema.diagnostics import Diagnostic, bounded, quote
from blox.schema.graph import expect_graph
from blox.weights import LeafSpec, TensorInfo, save_flat
from blox.weights.comparing import differences, shown_path, wide
from blox.weights.files import local_path, refuse, shown
from blox.weights.kept import kept_files

from . import hub
from .examples import EXAMPLES, Example, dump_examples
from .spec import (
    GRAPH_JSON,
    GRAPH_KEY,
    GRAPH_MSGPACK,
    PathLike,
    is_single,
    is_spec,
    metadata_of,
    parse_spec,
)


class Origin(Protocol):
    """What `bx.from_jax` says of where a model came from."""

    def sidecar(self, graph: Graph) -> bytes:
        """The file about a Graph. Raises where it is of another."""
        ...


def save(
    path: PathLike,
    graph: Graph,
    params: Mapping[str, Any],
    *,
    max_shard_size: int | str | None = None,
    examples: Sequence[Example | Mapping[str, Any] | tuple[Any, ...]] = (),
    origin: Origin | None = None,
    source: PathLike | None = None,
    progress: bool | None = None,
) -> None:
    """Write a model, atomically: `bx.save("model", graph, params)`.

    A folder gets `graph.json` and `params.safetensors` (or shards and their index), and
    `examples.safetensors` if there are any; a path that ends in `.safetensors` becomes
    one file that holds its Graph too. Whatever an older model at `path` had is replaced
    or removed; other files stay. Equal arguments give equal bytes.

    Args:
        path: a folder, made if absent, or a file whose name ends in `.safetensors`.
        graph: the Graph.
        params: arrays (JAX or NumPy) in the nesting of `bx.init(graph, key)`.
        max_shard_size: bytes of data per file, or text such as `"5GB"`; folders only.
        examples: the numeric contract that `bx.verify` runs, an `Example` each, or its
            fields as a tuple, or inputs by name alone; outputs that aren't given are
            computed. Folders only.
        origin: of `bx.from_jax`, for `bx.load_origin`: goes into `source/origin.json`. One
            that is there already stays where none is given. Folders only.
        source: the folder of the checkpoint that the model was made of: its tokenizer,
            processor and settings go into `source/` as they are. Folders only.
        progress: a bar, where standard error is a terminal: None for long work, True
            for any, False for none.

    Raises:
        SpecError: all faults of the Graph. WeightsError: the differences between Params
            and Graph, what `load` would refuse, what can't be written, or an origin of
            another Graph. Nothing is written then.
        ModelError: an example that the model does not take.
    """
    target = hub.target(path)
    if is_spec(target):
        wanted = "expected a folder or a *.safetensors file, found another name"
        refuse("weights-target", shown(target), wanted)
    expect_graph(graph)
    text = to_json(graph)
    # Only what can be read again is written.
    graph = parse_spec({GRAPH_JSON: text.encode()})
    tensors = check_params(graph, params)
    check_widths(tensors)
    metadata = metadata_of(graph)
    extras: dict[str, bytes] = {}
    if is_single(target):
        beside = {"examples": examples, "origin": origin, "source": source}
        if what := next((n for n, given in beside.items() if given), None):
            wanted = f"expected no {what} for a single file, found some"
            refuse("weights-target", shown(target), wanted, "save to a folder")
        metadata[GRAPH_KEY] = text
    else:
        extras[GRAPH_JSON] = text.encode()
        if examples:
            extras[EXAMPLES] = dump_examples(graph, params, examples)
        if source is not None:
            kept = kept_files(local_path(source))
            extras |= {f"source/{name}": data for name, data in kept.items()}
        if origin is not None:
            extras[hub.ORIGIN] = origin.sidecar(graph)
    save_flat(
        target,
        tensors,
        metadata=metadata,
        max_shard_size=max_shard_size,
        extra_files=extras or None,
        remove=() if is_single(target) else (GRAPH_MSGPACK, EXAMPLES),
        progress=progress,
    )


def check_params(graph: Graph, params: Mapping[str, Any]) -> dict[str, Any]:
    """The arrays of Params by graph path, if they are those of the Graph.

    Raises:
        WeightsError: every leaf that is missing, unknown, no array, or of another shape
            or dtype, 100 one by one.
    """
    try:
        found = list(_flatten(params, ""))
    except RecursionError:
        wanted = "expected arrays in nested dicts, found a nesting without end"
        refuse("weights-kind", "", wanted)
    other = {path: v for path, v in found if not _is_array(v)}
    arrays = {path: v for path, v in found if _is_array(v)}
    expected = {
        path: LeafSpec(leaf.full_shape, leaf.dtype)
        for path, leaf in graph.program().leaves().items()
        if path not in other
    }
    hint = "jax.numpy.asarray makes one"
    kinds = (
        Diagnostic(
            "weights-kind",
            shown_path(path),
            f"expected an array, found {quote(type(value).__name__)}",
            hint,
        )
        for path, value in other.items()
    )
    findings = bounded(chain(kinds, differences(_described(arrays), expected)))
    if findings:
        raise WeightsError(findings)
    return {path: arrays[path] for path in expected}


def check_widths(arrays: Mapping[str, Any]) -> None:
    """Refuse arrays of 64 bits while JAX, and so `load`, takes 32.

    Raises:
        WeightsError: every such array.
    """
    jax = sys.modules.get("jax")  # its import takes a second, and its setting is known
    setting = os.environ.get("JAX_ENABLE_X64", "")
    x64 = jax.config.jax_enable_x64 if jax else setting.lower() in ("1", "true", "yes")
    if not x64 and (findings := bounded(wide(arrays, _described(arrays)))):
        raise WeightsError(findings)


def _described(arrays: Mapping[str, Any]) -> dict[str, TensorInfo]:
    nowhere = Path()
    return {
        path: TensorInfo(path, str(a.dtype), tuple(a.shape), nowhere, 0, 0)
        for path, a in arrays.items()
    }


def _is_array(value: Any) -> bool:
    """Shapes alone, as of `jax.eval_shape`, are none."""
    return all(hasattr(value, name) for name in ("shape", "dtype", "__array__"))


def _flatten(tree: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(tree, Mapping):
        items = [(_key(k), v) for k, v in tree.items()]
    elif isinstance(tree, (list, tuple)):
        items = [(str(i), v) for i, v in enumerate(tree)]
    else:
        yield path or ".", tree
        return
    for name, part in items:
        yield from _flatten(part, f"{path}.{name}" if path else name)


def _key(key: Any) -> str:
    """A part of a path; what can't be one, as a path whole, is no leaf's."""
    return key if isinstance(key, str) and "." not in key else quote(key)
