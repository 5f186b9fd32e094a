"""The BERT family as data: its Graph, and what transformers calls its arrays.

Devlin et al., arXiv:1810.04805. Post-norm: the sum of each branch is normalised.
"""

from __future__ import annotations

from typing import Any

from .config import BertConfig
from .sentence import SENTENCE, SentenceConfig, sentence_functions

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
    ("embeddings.word", "embeddings.word_embeddings", "embed"),
    ("embeddings.position", "embeddings.position_embeddings", "embed"),
    ("embeddings.token_type", "embeddings.token_type_embeddings", "embed"),
    ("embeddings.norm", "embeddings.LayerNorm", "layer_norm"),
    ("encoder.*.attention.query", "encoder.layer.*.attention.self.query", "linear"),
    ("encoder.*.attention.key", "encoder.layer.*.attention.self.key", "linear"),
    ("encoder.*.attention.value", "encoder.layer.*.attention.self.value", "linear"),
    ("encoder.*.attention.output", "encoder.layer.*.attention.output.dense", "linear"),
    (
        "encoder.*.attention_norm",
        "encoder.layer.*.attention.output.LayerNorm",
        "layer_norm",
    ),
    ("encoder.*.mlp.up", "encoder.layer.*.intermediate.dense", "linear"),
    ("encoder.*.mlp.down", "encoder.layer.*.output.dense", "linear"),
    ("encoder.*.mlp_norm", "encoder.layer.*.output.LayerNorm", "layer_norm"),
    ("pooler", "pooler.dense", "linear"),
)

PREFIX = "bert."
"""What transformers puts before the names above where the model has a head."""

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
        "main": _main(pooler),
        **(sentence_functions(sentence) if sentence else {}),
        "embeddings": _embeddings(config.layer_norm_eps),
        "layer": _layer(config.layer_norm_eps),
        "attention": _attention(),
        "mlp": _mlp(ACTIVATIONS[config.hidden_act]),
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


def _main(pooler: bool) -> Data:
    ids = {"shape": ["batch", "seq"], "dtype": "int32"}
    nodes: Data = {
        "ones": {"op": "ones_like", "x": "input_ids"},
        "present": {"op": "default", "x": "attention_mask", "default": "ones"},
        "mask": {"op": "padding_mask", "padding": "present"},
        "zeros": {"op": "zeros_like", "x": "input_ids"},
        "types": {"op": "default", "x": "token_type_ids", "default": "zeros"},
        "offsets": {"op": "arange", "stop": "$seq"},
        "positions": {"op": "default", "x": "position_ids", "default": "offsets"},
        "embeddings": {
            "op": "call",
            "function": "embeddings",
            "inputs": {
                "ids": "input_ids",
                "types": "types",
                "positions": "positions",
            },
        },
        "encoder": {
            "op": "repeat",
            "function": "layer",
            "count": "$depth",
            "carry": {"x": "embeddings"},
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


def _embeddings(eps: float) -> Data:
    return {
        "inputs": {"ids": {}, "types": {}, "positions": {}},
        "nodes": {
            "word": _embed("ids", "$vocab"),
            "token_type": _embed("types", "$types"),
            "typed": {"op": "add", "a": "word", "b": "token_type"},
            "position": _embed("positions", "$context"),
            "sum": {"op": "add", "a": "typed", "b": "position"},
            "norm": _layer_norm("sum", eps),
        },
        "outputs": {"x": "norm"},
    }


def _layer(eps: float) -> Data:
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
            "mlp": {"op": "call", "function": "mlp", "inputs": {"x": "attention_norm"}},
            "mapped": {"op": "add", "a": "attention_norm", "b": "mlp"},
            "mlp_norm": _layer_norm("mapped", eps),
        },
        "outputs": {"x": "mlp_norm"},
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


def _mlp(activation: Data) -> Data:
    return {
        "inputs": {"x": {}},
        "nodes": {
            "up": _linear("x", "$width", "$hidden"),
            "act": {**activation, "x": "up"},
            "down": _linear("act", "$hidden", "$width"),
        },
        "outputs": {"x": "down"},
    }


def _linear(x: str, into: str, out: str) -> Data:
    return {"op": "linear", "x": x, "in_features": into, "out_features": out}


def _embed(ids: str, count: str) -> Data:
    return {"op": "embed", "ids": ids, "num_embeddings": count, "features": "$width"}


def _layer_norm(x: str, eps: float) -> Data:
    return {"op": "layer_norm", "x": x, "features": "$width", "eps": eps}
