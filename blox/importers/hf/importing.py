"""`bx.from_hf`: the folder of a transformers checkpoint as a Graph and Params."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from blox.io.assemble import grow
from blox.io.model import again_if_changed
from blox.mapping.carry import carry
from blox.mapping.findings import findings
from blox.mapping.plan import make_plan
from blox.schema import Graph
from blox.schema.diagnostics import Diagnostic, WeightsError, bounded, quote
from blox.schema.names import name_of
from blox.weights import Headers, StoredTensors, TensorInfo
from blox.weights.faults import typed_faults
from blox.weights.files import local_path
from blox.weights.folder import Folder, read_folder
from blox.weights.names import TRANSFORMERS
from blox.weights.reading import headers_of, headers_of_file
from blox.weights.stored import Stored

from .family.family import Model, architecture_of
from .family.files import CONFIG, read_config
from .family.names import Names, parts_of
from .family.sentence import dense_folder
from .family.sentence_files import read_sentence, sentence_extra
from .family.settings import parse
from .registry import family_of

STEM = TRANSFORMERS.stem


def from_hf(
    folder: str | os.PathLike[str],
    *,
    name: str | None = None,
    architecture: str | None = None,
    sentence: bool = True,
    ignore: Sequence[str] = (),
    progress: bool | None = None,
) -> tuple[Graph, dict[str, Any]]:
    """A checkpoint of transformers as a Graph and Params; no code of it ever runs.

        graph, params = bx.from_hf("Llama-3.2-1B")

    The families and heads that are known are listed in docs/families.md. Inputs and
    outputs have the names and layouts of transformers: input_ids, attention_mask (0 for
    padding), (batch, seq) int32 -> last_hidden_state (batch, seq, width), logits... A
    decoder has a second entry, `step`, with caches. A folder of sentence-transformers
    gives an entry `sentence_embedding`: texts -> (batch, width).

    Args:
        folder: with config.json and model.safetensors, in shards or not.
        name: of the Graph, and of the function that is generated from it; by default the
            family's.
        architecture: a class of transformers, for another one than that of the folder: the
            one without a head takes the model out of any other.
        sentence: look at modules.json of sentence-transformers.
        ignore: fields of the config that are not known, and change nothing.
        progress: a bar, as for `blox.load`.

    Returns:
        The Graph and its Params, of the dtype of the checkpoint.

    Raises:
        SpecError: another family, or a config that is not sound; all faults of a file.
        WeightsError: no safetensors, or names, shapes and dtypes that do not fit the
            config; all differences, and no array is read.
    """
    import jax

    place = local_path(folder)

    def use() -> tuple[Graph, dict[str, Any], list[Diagnostic]]:
        def look(found: Folder) -> tuple[_Checkpoint, Any]:
            read = _read(found, architecture, sentence, ignore)
            return read, found.pending()

        read, notes = read_folder(place, look)
        graph, arrays = _converted(read, name, progress)
        return graph, arrays, notes

    graph, arrays, notes = again_if_changed(place, use)
    for diagnostic in notes:
        warnings.warn(str(diagnostic), stacklevel=2)
    with typed_faults(place):
        return graph, grow(graph.program().tree, jax.device_put(arrays))


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    """All of a checkpoint but its arrays."""

    model: Model
    stored: Mapping[str, Stored]
    tensors: Mapping[str, TensorInfo]
    """Both by the names of the family's table."""
    faults: Sequence[Diagnostic]


def _read(
    folder: Folder, architecture: str | None, sentence: bool, ignore: Sequence[str]
) -> _Checkpoint:
    raw = read_config(folder)
    family = family_of(raw, CONFIG)
    said = read_sentence(folder) if sentence else None
    if said is not None:  # of the model without a head, whatever else is there
        architecture = architecture or family.base
    model = Model(
        family=family,
        architecture=architecture_of(family, raw, CONFIG, architecture),
        config=parse(family.config, raw, CONFIG, ignore),
        raw=raw,
        ignore=ignore,
    )
    headers = _headers(folder)
    tensors, faults = Names(model).table(headers.tensors)
    model = replace(model, parts=parts_of(family.parts, tensors))
    arrays = StoredTensors(headers)
    stored = {name: arrays[info.name] for name, info in tensors.items()}
    if said is not None and not model.head:
        model = replace(model, sentence=said[0])
        for i, place in enumerate(said[1]):
            headers = _dense(folder, place)
            arrays = StoredTensors(headers)
            for name, info in headers.tensors.items():
                known = f"{dense_folder(i)}.{name}"
                tensors[known], stored[known] = info, arrays[name]
    return _Checkpoint(model, stored, tensors, faults)


def _converted(
    read: _Checkpoint, name: str | None, progress: bool | None
) -> tuple[Graph, dict[str, Any]]:
    model, tensors = read.model, read.tensors
    graph = model.graph(
        name or name_of(model.family.model_type),
        source=_source(model.raw),
        extra=sentence_extra(model.sentence) if model.sentence else {},
    )
    plan = make_plan(graph.program().leaves(), model.rules(graph), tensors)
    if differing := bounded(chain(read.faults, findings(plan, tensors))):
        raise WeightsError(differing)
    tree = {name: read.stored[name] for name in plan.expected}
    return graph, carry(plan, tree, tensors, progress=progress)


def _headers(folder: Folder) -> Headers:
    names = (f"{STEM}.safetensors", f"{STEM}.safetensors.index.json")
    if not any(folder.locate(n) for n in names) and folder.path.is_dir():
        old = sorted(p.name for p in folder.path.glob("*.bin"))
        found = f"found {quote(old[0])}, which may run code" if old else "found none"
        hint = "load and save it with transformers, safe_serialization=True"
        message = f"expected {names[0]}, {found}"
        raise WeightsError(Diagnostic("weights-file", "", message, hint))
    return headers_of(folder, STEM)


def _dense(folder: Folder, place: str) -> Headers:
    """The weights of a map of sentence-transformers."""
    name = f"{place}/{STEM}.safetensors"
    source = folder.open(name)
    if source is None:
        hint = "load and save it with sentence-transformers"
        message = "expected weights in safetensors, found none"
        raise WeightsError(Diagnostic("weights-file", quote(name), message, hint))
    return headers_of_file(source)


def _source(raw: Mapping[str, Any]) -> str:
    value = raw.get("_name_or_path")
    sound = isinstance(value, str) and len(value) <= 200 and value.isprintable()
    return str(value) if sound else ""
