"""`bx.to_hf`: Graph and Params of a BERT as a folder that transformers loads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from blox.io import hub
from blox.io.save import check_params
from blox.mapping.back import Returned
from blox.mapping.plan import make_plan
from blox.schema import Graph
from blox.schema.diagnostics import Diagnostic, SpecError, listing, quote
from blox.schema.graph import expect_graph
from blox.weights import save_flat

from .config import CONFIG, BertConfig, config_data, json_bytes, parse_config
from .families.bert import ACTIVATIONS, SIZES, bert_graph, bert_rules
from .importing import STEM
from .sentence import SENTENCE, SentenceConfig, sentence_files, sentence_from_extra

_ONLY = "only a Graph that computes what from_hf makes can be exported"
# Fields of a node that change nothing of what is computed.
_WITHOUT_EFFECT = frozenset({"init", "axes", "frozen", "remat", "scan"})


def to_hf(
    folder: str | os.PathLike[str],
    graph: Graph,
    params: Mapping[str, Any],
    *,
    max_shard_size: int | str | None = None,
    progress: bool | None = None,
) -> None:
    """Write config.json and model.safetensors, which transformers loads bit for bit.

    All files are replaced at once, as by `blox.save`. With an entry
    `sentence_embedding` also what sentence-transformers needs is written. Tokenizer
    files are not of the Graph: copy them into the folder. The config is made of the
    Graph's attributes and, for what has no effect on outputs (rates of dropout), of
    `metadata.extra`.

    Args:
        folder: made if absent; files of an older checkpoint are replaced.
        graph: of `from_hf`, or one that computes the same; other sizes are fine.
        params: its Params, of any floating dtype.
        max_shard_size: bytes of data per weight file, or text such as `"5GB"`.
        progress: a bar, as for `blox.save`.

    Raises:
        SpecError: the Graph computes something else than a BERT; what differs.
        WeightsError: Params that do not fit the Graph, or files that can't be written.
    """
    expect_graph(graph)
    config, sentence = _settings(graph)
    plan = make_plan(graph.program().leaves(), bert_rules(graph))
    params = check_params(graph, params)
    arrays = Returned(plan, params)
    dtypes = {str(array.dtype) for array in params.values()}
    dtype = dtypes.pop() if len(dtypes) == 1 else "float32"
    files = {CONFIG: config_data(config, dtype)}
    if sentence is not None:
        files |= sentence_files(sentence, config.hidden_size)
    save_flat(
        hub.target(folder),
        arrays,
        metadata={"format": "pt"},
        max_shard_size=max_shard_size,
        extra_files={name: json_bytes(data) for name, data in files.items()},
        stem=STEM,
        progress=progress,
    )


def _settings(graph: Graph) -> tuple[BertConfig, SentenceConfig | None]:
    """The settings that the Graph was made of: it is made again and compared, not assumed."""
    lacking = [a for a in SIZES.values() if a not in graph.attributes]
    if lacking:
        raise SpecError.one(
            "hf-graph",
            "attributes",
            f"expected the attributes of a BERT, found none named {listing(lacking)}",
            _ONLY,
        )
    data = graph.plain()
    functions = data["functions"]
    extra = graph.metadata.extra
    raw: dict[str, Any] = {
        name: extra[name] for name in BertConfig.__dataclass_fields__ if name in extra
    }
    for name, attribute in SIZES.items():
        raw[name] = graph.attributes.get(attribute)
    raw["layer_norm_eps"] = _field(functions, "main", "norm", "eps")
    raw["hidden_act"] = _activation(functions, raw.get("hidden_act"))
    config = parse_config(raw, CONFIG, ACTIVATIONS)
    sentence = None
    if SENTENCE in graph.entries:
        nodes = functions.get(SENTENCE, {}).get("nodes", {})
        sentence = sentence_from_extra(extra, normalize="normalized" in nodes)
    pooler = "pooler" in functions.get("main", {}).get("nodes", {})
    wanted = bert_graph(config, name=graph.name, pooler=pooler, sentence=sentence)
    faults = [*_differences(data, wanted.plain())]
    if faults:
        raise SpecError(faults)
    return config, sentence


def _field(functions: Mapping[str, Any], *path: str) -> Any:
    function, node, field = path
    return functions.get(function, {}).get("nodes", {}).get(node, {}).get(field)


def _activation(functions: Mapping[str, Any], known: Any) -> Any:
    """The hidden_act of the node `layer.act`: as it was imported, if that fits."""
    node = functions.get("layer", {}).get("nodes", {}).get("act", {})
    node = {k: v for k, v in node.items() if k != "x"}
    names = [n for n, (op, own) in ACTIVATIONS.items() if node == {"op": op, **own}]
    if known in names or not names:
        return known if names else None
    return names[0]


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
