"""`bx.to_hf`: Graph and Params as a folder that transformers loads."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Mapping
from typing import Any

from blox.io import hub
from blox.io.save import check_params
from blox.mapping.back import Returned
from blox.mapping.plan import make_plan
from blox.schema import Graph
from blox.schema.diagnostics import Diagnostic, SpecError, quote
from blox.schema.graph import expect_graph
from blox.weights import save_flat
from blox.weights.files import local_path
from blox.weights.kept import kept_files

from .family.family import Model, architecture_of, labels_of
from .family.files import CONFIG, json_bytes
from .family.names import Names
from .family.sentence import SENTENCE, dense_folder
from .family.sentence_files import sentence_files, sentence_from_extra
from .family.settings import parse, updated
from .importing import STEM
from .registry import family_of

_ONLY = "only a Graph that computes what from_hf makes can be exported"
# Fields of a node that change nothing of what is computed.
_WITHOUT_EFFECT = frozenset({"init", "axes", "frozen", "remat", "scan"})


def to_hf(
    folder: str | os.PathLike[str],
    graph: Graph,
    params: Mapping[str, Any],
    *,
    source: str | os.PathLike[str] | None = None,
    max_shard_size: int | str | None = None,
    progress: bool | None = None,
) -> None:
    """Write config.json and model.safetensors, which transformers loads bit for bit.

    All files are replaced at once, as by `blox.save`. With an entry
    `sentence_embedding` also what sentence-transformers needs is written. The config is
    the one that was imported, which `metadata.extra` keeps, with the sizes of the
    Graph's attributes.

    Args:
        folder: made if absent; files of an older checkpoint are replaced.
        graph: of `from_hf`, or one that computes the same; other sizes are fine.
        params: its Params, of any floating dtype.
        source: a folder whose tokenizer, processor and settings are written as they are:
            that of the checkpoint, or `source/` of the model.
        max_shard_size: bytes of data per weight file, or text such as `"5GB"`.
        progress: a bar, as for `blox.save`.

    Raises:
        SpecError: the Graph computes something else than its family; what differs.
        WeightsError: Params that do not fit the Graph, or files that can't be written.
    """
    expect_graph(graph)
    model = model_of(graph)
    plan = make_plan(graph.program().leaves(), model.rules(graph))
    params = check_params(graph, params)
    found = Returned(plan, params)
    dense: dict[str, Any] = {}
    files = {CONFIG: json_bytes(_config(model, params))}
    if model.sentence is not None:
        places = {dense_folder(i) for i in range(len(model.sentence.dense))}
        dense = {n: found[n] for n in found if n.partition(".")[0] in places}
        files |= sentence_files(model.sentence, int(graph.attributes["width"]), dense)
    arrays = _Named(found, Names(model), dense)
    kept = {} if source is None else kept_files(local_path(source))
    save_flat(
        hub.target(folder),
        arrays,
        metadata={"format": "pt"},
        max_shard_size=max_shard_size,
        extra_files=kept | files,
        stem=STEM,
        progress=progress,
    )


class _Named(Mapping[str, Any]):
    """Arrays as transformers calls them; one is made when it is asked for."""

    def __init__(self, arrays: Returned, names: Names, apart: Container[str]) -> None:
        self._arrays = arrays
        self._known = {names.written(n): n for n in arrays if n not in apart}

    def __getitem__(self, name: str) -> Any:
        return self._arrays[self._known[name]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def spec(self, name: str) -> Any:
        """Shape and dtype of one."""
        return self._arrays.spec(self._known[name])


def _config(model: Model, params: Mapping[str, Any]) -> dict[str, Any]:
    """The data of `config.json`: as it was, but for the dtype of the arrays."""
    dtypes = {str(array.dtype) for array in params.values()}
    dtype = dtypes.pop() if len(dtypes) == 1 else "float32"
    name = "torch_dtype" if "torch_dtype" in model.raw else "dtype"
    return {**model.raw, "architectures": [model.architecture], name: dtype}


def model_of(graph: Graph) -> Model:
    """What a Graph is a model of: it is made again and compared, not assumed."""
    said = graph.metadata.extra.get(Model.KEY)
    raw = said.get("config") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(raw, dict):
        message = f"expected what from_hf keeps there, found {quote(said)}"
        path = f"metadata.extra.{Model.KEY}"
        raise SpecError(Diagnostic("hf-graph", path, message, _ONLY))
    path = f"metadata.extra.{Model.KEY}.config"
    family = family_of(raw, path)
    ignore = [name for name in _texts(said.get("ignore")) if name in raw]
    config = parse(family.config, raw, path, ignore)
    raw = updated(raw, config, graph.attributes)
    if graph.attributes.get("labels", labels_of(raw)) != labels_of(raw):
        raw |= _labels(int(graph.attributes["labels"]))
    sentence = None
    if SENTENCE in graph.entries:
        nodes = graph.plain()["functions"].get(SENTENCE, {}).get("nodes", {})
        extra = graph.metadata.extra
        sentence = sentence_from_extra(extra, normalize="normalized" in nodes)
    architecture = said.get("architecture")
    model = Model(
        family=family,
        architecture=architecture_of(
            family, raw, path, architecture if isinstance(architecture, str) else None
        ),
        config=parse(family.config, raw, path, ignore),
        raw=raw,
        parts=frozenset(_texts(said.get("parts"))) & frozenset(family.parts),
        ignore=ignore,
        sentence=sentence,
    )
    faults = [*_differences(graph.plain(), model.graph(graph.name).plain())]
    if faults:
        raise SpecError(faults)
    return model


def _labels(count: int) -> dict[str, dict[str, Any]]:
    names = {str(i): f"LABEL_{i}" for i in range(count)}
    return {"id2label": names, "label2id": {name: int(i) for i, name in names.items()}}


def _texts(found: Any) -> list[str]:
    """The texts in what should be a list of some."""
    return [x for x in found if isinstance(x, str)] if isinstance(found, list) else []


def _differences(
    found: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Iterator[Diagnostic]:
    for name in ("entries", "attributes"):
        have, want = found.get(name), wanted.get(name)
        if have != want:
            message = f"expected {quote(want)}, found {quote(have)}"
            yield Diagnostic("hf-graph", name, message, _ONLY)
    ours, theirs = found["functions"], wanted["functions"]
    for name in {**theirs, **ours}:
        have, want = _parts(ours.get(name, {})), _parts(theirs.get(name, {}))
        for part in {**want, **have}:
            if have.get(part) != want.get(part):
                shown = quote(want.get(part), 160)
                message = f"expected {shown}, found {quote(have.get(part), 160)}"
                yield Diagnostic("hf-graph", f"{name}.{part}", message, _ONLY)


def _parts(function: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a function by path, less what has no effect on its outputs."""
    parts: dict[str, Any] = {}
    for kind in ("attributes", "outputs"):
        if kind in function:
            parts[kind] = function[kind]
    for name, given in function.get("inputs", {}).items():
        parts[f"inputs.{name}"] = {k: v for k, v in given.items() if k != "doc"}
    for name, node in function.get("nodes", {}).items():
        parts[name] = {k: v for k, v in node.items() if k not in _WITHOUT_EFFECT}
    return parts
