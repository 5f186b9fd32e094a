"""`bx.from_hf`: the folder of a transformers checkpoint as a Graph and Params."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from blox.io.assemble import grow
from blox.schema import Graph
from blox.schema.diagnostics import Diagnostic, WeightsError, bounded, quote
from blox.weights import Headers, TensorInfo, compare, load_flat, locate, read_headers

from .config import BertConfig, parse_config, read_config
from .families.bert import (
    ACTIVATIONS,
    IGNORED,
    MODULES,
    OLD_NAMES,
    PREFIX,
    SIZES,
    bert_graph,
)
from .names import expected, gather, places
from .sentence import read_sentence, sentence_extra

STEM = "model"


def from_hf(
    folder: str | Path,
    *,
    name: str = "bert",
    sentence: bool = True,
    progress: bool = False,
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
        progress: show a bar if the work is long and standard error is a terminal.

    Returns:
        The Graph and its Params, of the dtype of the checkpoint.

    Raises:
        SpecError: another family, or a config that is not sound; all faults of a file.
        WeightsError: no safetensors, or names, shapes and dtypes that do not fit the
            config; all differences, and no array is read.
    """
    import jax

    folder = Path(folder)
    raw = read_config(folder, ACTIVATIONS)
    config = parse_config(raw, "config.json", ACTIVATIONS)
    pooling = read_sentence(folder) if sentence else None
    headers = _headers(folder)
    tensors, faults = _renamed(headers)
    graph = Graph.parse(
        bert_graph(
            config,
            name=name,
            pooler=any(n.startswith("pooler.") for n in tensors),
            sentence=pooling,
            metadata={
                "source": _source(raw),
                "extra": {
                    **_settings(config),
                    **(sentence_extra(pooling) if pooling else {}),
                },
            },
        )
    )
    program = graph.program()
    found = places(MODULES, program.leaves())
    faults += compare(tensors, expected(found))
    if faults:
        raise WeightsError(bounded(faults))
    arrays = _load(headers, {p.name: tensors[p.name].name for p in found}, progress)
    return graph, grow(program.tree, jax.device_put(gather(found, arrays)))


def _headers(folder: Path) -> Headers:
    names = (f"{STEM}.safetensors", f"{STEM}.safetensors.index.json")
    if not any(locate(folder, n) for n in names) and folder.is_dir():
        old = sorted(p.name for p in folder.glob("*.bin"))
        found = f"found {quote(old[0])}, which may run code" if old else "found none"
        hint = "load and save it with transformers, safe_serialization=True"
        message = f"expected {names[0]}, {found}"
        raise WeightsError(Diagnostic("weights-file", "", message, hint))
    return read_headers(folder, stem=STEM)


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
        if known in IGNORED:
            continue
        if known in tensors:
            other = quote(tensors[known].name)
            message = f"expected one tensor of this meaning, found {other} as well"
            faults.append(Diagnostic("weights-unexpected", quote(name), message))
        tensors[known] = info
    return tensors, faults


def _load(headers: Headers, names: Mapping[str, str], progress: bool) -> dict[str, Any]:
    """The tensors in the memory of the host, by the names of the table."""
    import jax

    try:
        host = jax.local_devices(backend="cpu")[0]
    except RuntimeError:  # JAX_PLATFORMS without cpu
        host = None
    # NumPy sees arrays of the CPU's device without a copy.
    with jax.default_device(host):
        arrays = load_flat(headers, names.values(), progress=progress)
    return {known: arrays[name] for known, name in names.items()}


def _settings(config: BertConfig) -> dict[str, Any]:
    """What export needs and the Graph does not say."""
    in_graph = {*SIZES, "layer_norm_eps"}
    return {k: v for k, v in asdict(config).items() if k not in in_graph}


def _source(raw: Mapping[str, Any]) -> str:
    value = raw.get("_name_or_path")
    sound = isinstance(value, str) and len(value) <= 200 and value.isprintable()
    return str(value) if sound else ""
