"""`bx.from_hf`: the folder of a transformers checkpoint as a Graph and Params."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from blox.io.assemble import grow
from blox.io.model import again_if_changed
from blox.mapping.carry import carry
from blox.mapping.findings import findings
from blox.mapping.plan import make_plan
from blox.schema import Graph
from blox.schema.diagnostics import Diagnostic, WeightsError, bounded, quote
from blox.weights import Headers, StoredTensors, TensorInfo
from blox.weights.faults import typed_faults
from blox.weights.files import local_path
from blox.weights.folder import Folder, read_folder
from blox.weights.names import TRANSFORMERS
from blox.weights.reading import headers_of

from .config import CONFIG, BertConfig, parse_config, read_config
from .families.bert import (
    ACTIVATIONS,
    OLD_NAMES,
    PREFIX,
    SIZES,
    bert_graph,
    bert_rules,
)
from .sentence import SentenceConfig, read_sentence, sentence_extra

STEM = TRANSFORMERS.stem


def from_hf(
    folder: str | os.PathLike[str],
    *,
    name: str = "bert",
    sentence: bool = True,
    progress: bool | None = None,
) -> tuple[Graph, dict[str, Any]]:
    """A checkpoint of transformers as a Graph and Params; no code of it ever runs.

    The BERT family: `model_type` bert, architecture BertModel. Inputs and outputs have
    the names and layouts of transformers: input_ids, attention_mask (0 for padding),
    token_type_ids, position_ids, all (batch, seq) int32 -> last_hidden_state
    (batch, seq, width), and pooler_output (batch, width) where the checkpoint has a
    pooler. A folder of sentence-transformers gives a second entry,
    `sentence_embedding`: the first three inputs -> (batch, width).

    Args:
        folder: with config.json and model.safetensors, in shards or not.
        name: of the Graph, and of the function that is generated from it.
        sentence: look at modules.json of sentence-transformers.
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
        read, notes = read_folder(place, lambda f: (_read(f, sentence), f.pending()))
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

    raw: Mapping[str, Any]
    pooling: SentenceConfig | None
    headers: Headers


def _read(folder: Folder, sentence: bool) -> _Checkpoint:
    raw = read_config(folder, ACTIVATIONS)
    parse_config(raw, CONFIG, ACTIVATIONS)
    pooling = read_sentence(folder) if sentence else None
    return _Checkpoint(raw, pooling, _headers(folder))


def _converted(
    read: _Checkpoint, name: str, progress: bool | None
) -> tuple[Graph, dict[str, Any]]:
    config = parse_config(read.raw, CONFIG, ACTIVATIONS)
    tensors, faults = _renamed(read.headers)
    graph = bert_graph(
        config,
        name=name,
        pooler=any(n.startswith("pooler.") for n in tensors),
        sentence=read.pooling,
        metadata={
            "source": _source(read.raw),
            "extra": {
                **_settings(config),
                **(sentence_extra(read.pooling) if read.pooling else {}),
            },
        },
    )
    plan = make_plan(graph.program().leaves(), bert_rules(graph), tensors)
    if differing := bounded(chain(faults, findings(plan, tensors))):
        raise WeightsError(differing)
    stored = StoredTensors(read.headers)
    tree = {name: stored[tensors[name].name] for name in plan.expected}
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


def _renamed(
    headers: Headers,
) -> tuple[dict[str, TensorInfo], list[Diagnostic]]:
    """The tensors by the names of the table, each with its own name in the file."""
    tensors: dict[str, TensorInfo] = {}
    faults: list[Diagnostic] = []
    for name, info in headers.tensors.items():
        known = name.removeprefix(PREFIX)
        for old, new in OLD_NAMES:
            if known.endswith(old):
                known = known.removesuffix(old) + new
        if known in tensors:
            other = quote(tensors[known].name)
            message = f"expected one tensor of this meaning, found {other} as well"
            faults.append(Diagnostic("weights-unexpected", quote(name), message))
        tensors[known] = info
    return tensors, faults


def _settings(config: BertConfig) -> dict[str, Any]:
    """The settings that export needs and the Graph does not hold."""
    in_graph = {*SIZES, "layer_norm_eps"}
    return {k: v for k, v in asdict(config).items() if k not in in_graph}


def _source(raw: Mapping[str, Any]) -> str:
    value = raw.get("_name_or_path")
    sound = isinstance(value, str) and len(value) <= 200 and value.isprintable()
    return str(value) if sound else ""
