"""The BERT family as data: its Graph, and what transformers calls its arrays.

Devlin et al., arXiv:1810.04805. Post-norm: the sum of each branch is normalised.
"""

from __future__ import annotations

from typing import Any

from ..config import BertConfig
from ..sentence import SENTENCE, SentenceConfig, sentence_functions

Data = dict[str, Any]

# The fields of transformers' config that are attributes of the Graph.
SIZES: dict[str, str] = {
    "vocab_size": "vocab",
    "hidden_size": "width",
    "num_hidden_layers": "depth",
    "num_attention_heads": "heads",
    "intermediate_size": "hidden",
    "max_position_embeddings": "context",
    "type_vocab_size": "types",
}

# hidden_act -> node. The first name of those with equal nodes is written on export.
ACTIVATIONS: dict[str, Data] = {
    "gelu": {"op": "gelu", "approximate": False},
    "gelu_new": {"op": "gelu", "approximate": True},
    "gelu_pytorch_tanh": {"op": "gelu", "approximate": True},
    "gelu_fast": {"op": "gelu", "approximate": True},
    "relu": {"op": "relu"},
    "silu": {"op": "silu"},
    "swish": {"op": "silu"},
    "tanh": {"op": "tanh"},
    "mish": {"op": "mish"},
    "relu6": {"op": "relu6"},
    "sigmoid": {"op": "sigmoid"},
}

# (node, module, op): where arrays are in Params and in transformers, `*` is the layer.
MODULES: tuple[tuple[str, str, str], ...] = (
    ("word", "embeddings.word_embeddings", "embed"),
    ("position", "embeddings.position_embeddings", "embed"),
    ("token_type", "embeddings.token_type_embeddings", "embed"),
    ("norm", "embeddings.LayerNorm", "layer_norm"),
    ("encoder.*.attention.query", "encoder.layer.*.attention.self.query", "linear"),
    ("encoder.*.attention.key", "encoder.layer.*.attention.self.key", "linear"),
    ("encoder.*.attention.value", "encoder.layer.*.attention.self.value", "linear"),
    ("encoder.*.attention.output", "encoder.layer.*.attention.output.dense", "linear"),
    (
        "encoder.*.attention_norm",
        "encoder.layer.*.attention.output.LayerNorm",
        "layer_norm",
    ),
    ("encoder.*.up", "encoder.layer.*.intermediate.dense", "linear"),
    ("encoder.*.down", "encoder.layer.*.output.dense", "linear"),
    ("encoder.*.output_norm", "encoder.layer.*.output.LayerNorm", "layer_norm"),
    ("pooler", "pooler.dense", "linear"),
)

PREFIX = "bert."
"""The prefixes that transformers puts before the names above where the model has a head."""

IGNORED = frozenset({"embeddings.position_ids", "embeddings.token_type_ids"})
"""Buffers of old checkpoints: they count up, or are zero."""

OLD_NAMES = (
    (".LayerNorm.gamma", ".LayerNorm.weight"),
    (".LayerNorm.beta", ".LayerNorm.bias"),
)
"""Ends of names in checkpoints that were converted from TensorFlow."""


def bert_graph(
    config: BertConfig,
    *,
    name: str = "bert",
    pooler: bool = True,
    sentence: SentenceConfig | None = None,
    metadata: Data | None = None,
) -> Data:
    """The Graph of a BERT, as plain data.

    Args:
        config: sizes, activation and eps.
        name: of the Graph.
        pooler: with `pooler_output`, `tanh` of a linear map of the first token.
        sentence: adds the entry `sentence_embedding`.
        metadata: of the Graph.
    """
    functions = {
        "main": _main(config.layer_norm_eps, pooler),
        **(sentence_functions(sentence) if sentence else {}),
        "layer": _layer(config.layer_norm_eps, ACTIVATIONS[config.hidden_act]),
        "attention": _attention(),
    }
    return {
        "format": "blox/1",
        "name": name,
        "attributes": {ours: getattr(config, name) for name, ours in SIZES.items()},
        "dims": {"seq": {"max": "$context"}},
        "entries": ["main", SENTENCE] if sentence else ["main"],
        "functions": functions,
        "metadata": metadata or {},
    }


def _main(eps: float, pooler: bool) -> Data:
    ids = {"shape": ["batch", "seq"], "dtype": "int32"}
    nodes: Data = {
        "ones": {"op": "ones_like", "x": "input_ids"},
        "present": {"op": "default", "x": "attention_mask", "default": "ones"},
        "mask": {"op": "padding_mask", "padding": "present"},
        "zeros": {"op": "zeros_like", "x": "input_ids"},
        "types": {"op": "default", "x": "token_type_ids", "default": "zeros"},
        "offsets": {"op": "arange", "stop": "$seq"},
        "positions": {"op": "default", "x": "position_ids", "default": "offsets"},
        "word": _embed("input_ids", "$vocab"),
        "token_type": _embed("types", "$types"),
        "typed": {"op": "add", "a": "word", "b": "token_type"},
        "position": _embed("positions", "$context"),
        "placed": {"op": "add", "a": "typed", "b": "position"},
        "norm": _layer_norm("placed", eps),
        "encoder": {
            "op": "repeat",
            "function": "layer",
            "count": "$depth",
            "carry": {"x": "norm"},
            "inputs": {"mask": "mask"},
            "scan": True,
        },
    }
    outputs = {"last_hidden_state": "encoder"}
    if pooler:
        nodes["first"] = {"op": "index", "x": "encoder", "at": ":, 0"}
        nodes["pooler"] = _linear("first", "$width", "$width")
        nodes["pooled"] = {"op": "tanh", "x": "pooler"}
        outputs["pooler_output"] = "pooled"
    return {
        "doc": "Token ids to the hidden states of the last layer.",
        "inputs": {
            "input_ids": ids,
            "attention_mask": {**ids, "optional": True},
            "token_type_ids": {**ids, "optional": True},
            "position_ids": {**ids, "optional": True},
        },
        "nodes": nodes,
        "outputs": outputs,
    }


def _layer(eps: float, activation: Data) -> Data:
    return {
        "inputs": {"x": {}, "mask": {}},
        "nodes": {
            "attention": {
                "op": "call",
                "function": "attention",
                "inputs": {"x": "x", "mask": "mask"},
            },
            "attended": {"op": "add", "a": "x", "b": "attention"},
            "attention_norm": _layer_norm("attended", eps),
            "up": _linear("attention_norm", "$width", "$hidden"),
            "act": {**activation, "x": "up"},
            "down": _linear("act", "$hidden", "$width"),
            "mapped": {"op": "add", "a": "attention_norm", "b": "down"},
            "output_norm": _layer_norm("mapped", eps),
        },
        "outputs": {"x": "output_norm"},
    }


def _attention() -> Data:
    nodes: Data = {}
    for part in ("query", "key", "value"):
        nodes[part] = _linear("x", "$width", "$width")
        nodes[part[0]] = {
            "op": "reshape",
            "x": part,
            "shape": ["$batch", "$seq", "$heads", "$width // heads"],
        }
    nodes["attended"] = {
        "op": "dot_product_attention",
        "query": "q",
        "key": "k",
        "value": "v",
        "mask": "mask",
        "scale": None,
    }
    nodes["merged"] = {"op": "flatten", "x": "attended", "start": -2}
    nodes["output"] = _linear("merged", "$width", "$width")
    return {
        "inputs": {"x": {"shape": ["batch", "seq", "_"]}, "mask": {}},
        "nodes": nodes,
        "outputs": {"x": "output"},
    }


def _linear(x: str, into: str, out: str) -> Data:
    return {"op": "linear", "x": x, "in_features": into, "out_features": out}


def _embed(ids: str, count: str) -> Data:
    return {"op": "embed", "ids": ids, "num_embeddings": count, "features": "$width"}


def _layer_norm(x: str, eps: float) -> Data:
    return {"op": "layer_norm", "x": x, "features": "$width", "eps": eps}
