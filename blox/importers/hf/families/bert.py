"""The BERT family: its Graph, and what transformers calls its arrays.

Devlin et al., arXiv:1810.04805. Post-norm: the sum of each branch is normalised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blox.builder.graph import GraphBuilder
from blox.builder.values import Input
from blox.mapping.conventions import layer_rules
from blox.mapping.rules import AnyRule, Ignored

from ..config import BertConfig
from ..sentence import SentenceConfig, add_sentence_embedding

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value
    from blox.schema import Graph

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

# hidden_act -> op and its attributes. Of names for the same one the first is exported.
ACTIVATIONS: dict[str, tuple[str, Data]] = {
    "gelu": ("gelu", {"approximate": False}),
    "gelu_new": ("gelu", {"approximate": True}),
    "gelu_pytorch_tanh": ("gelu", {"approximate": True}),
    "gelu_fast": ("gelu", {"approximate": True}),
    "relu": ("relu", {}),
    "silu": ("silu", {}),
    "swish": ("silu", {}),
    "tanh": ("tanh", {}),
    "mish": ("mish", {}),
    "relu6": ("relu6", {}),
    "sigmoid": ("sigmoid", {}),
}

# Where a layer's arrays are in Params, and its module in transformers.
LAYERS: dict[str, str] = {
    "word": "embeddings.word_embeddings",
    "position": "embeddings.position_embeddings",
    "token_type": "embeddings.token_type_embeddings",
    "norm": "embeddings.LayerNorm",
    "encoder.{i}.attention.query": "encoder.layer.{i}.attention.self.query",
    "encoder.{i}.attention.key": "encoder.layer.{i}.attention.self.key",
    "encoder.{i}.attention.value": "encoder.layer.{i}.attention.self.value",
    "encoder.{i}.attention.output": "encoder.layer.{i}.attention.output.dense",
    "encoder.{i}.attention_norm": "encoder.layer.{i}.attention.output.LayerNorm",
    "encoder.{i}.up": "encoder.layer.{i}.intermediate.dense",
    "encoder.{i}.down": "encoder.layer.{i}.output.dense",
    "encoder.{i}.output_norm": "encoder.layer.{i}.output.LayerNorm",
    "pooler": "pooler.dense",
}

PREFIX = "bert."
"""The prefixes that transformers puts before the names above where the model has a head."""

IGNORED = Ignored("embeddings.position_ids", "embeddings.token_type_ids")
"""Buffers of old checkpoints: they count up, or are zero."""

OLD_NAMES = (
    (".LayerNorm.gamma", ".LayerNorm.weight"),
    (".LayerNorm.beta", ".LayerNorm.bias"),
)
"""Ends of names in checkpoints that were converted from TensorFlow."""


def bert_rules(graph: Graph) -> list[AnyRule]:
    """What the arrays of a Graph of `bert_graph` are in transformers."""
    has_pooler = "pooler" in graph.functions["main"].nodes
    layers = {n: m for n, m in LAYERS.items() if n != "pooler" or has_pooler}
    return [*layer_rules(graph, layers), IGNORED]


def bert_graph(
    config: BertConfig,
    *,
    name: str = "bert",
    pooler: bool = True,
    sentence: SentenceConfig | None = None,
    metadata: Data | None = None,
) -> Graph:
    """The Graph of a BERT.

    Args:
        config: sizes, activation and eps.
        name: of the Graph.
        pooler: with `pooler_output`, `tanh` of a linear map of the first token.
        sentence: adds the entry `sentence_embedding`.
        metadata: of the Graph.
    """
    b = GraphBuilder(name, **{ours: getattr(config, n) for n, ours in SIZES.items()})
    b.dim("seq", max=b.context)
    eps = config.layer_norm_eps
    ids = Input(["batch", "seq"], "int32")
    optional = Input(["batch", "seq"], "int32", optional=True)

    @b.entry(
        input_ids=ids,
        attention_mask=optional,
        token_type_ids=optional,
        position_ids=optional,
    )
    def main(
        f: F,
        input_ids: Value,
        attention_mask: Value | None = None,
        token_type_ids: Value | None = None,
        position_ids: Value | None = None,
    ) -> dict[str, Value]:
        """Token ids to the hidden states of the last layer."""
        present = f.default(attention_mask, f.ones_like(input_ids), name="present")
        mask = f.padding_mask(present, name="mask")
        types = f.default(token_type_ids, f.zeros_like(input_ids), name="types")
        offsets = f.arange(stop=input_ids.shape[1], name="offsets")
        positions = f.default(position_ids, offsets, name="positions")
        x = f.embed("word", input_ids, b.vocab, b.width)
        x = x + f.embed("token_type", types, b.types, b.width)
        x = x + f.embed("position", positions, b.context, b.width)
        x = f.layer_norm("norm", x, eps=eps)
        run = f.repeat("encoder", layer, count=b.depth)
        x = run(x, mask, heads=b.heads, hidden=b.hidden, act=config.hidden_act, eps=eps)
        if not pooler:
            return {"last_hidden_state": x}
        pooled = f.tanh(f.linear("pooler", x[:, 0], b.width), name="pooled")
        return {"last_hidden_state": x, "pooler_output": pooled}

    if sentence is not None:
        add_sentence_embedding(b, main, sentence, ids, optional)
    return b.graph(**(metadata or {}))


def layer(
    f: F, x: Value, mask: Value, *, heads: int, hidden: int, act: str, eps: float
) -> Value:
    x = x + f.call("attention", attention)(x, mask, heads=heads)
    x = f.layer_norm("attention_norm", x, eps=eps)
    op, attributes = ACTIVATIONS[act]
    h = f.op(op, f.linear("up", x, hidden), name="act", **attributes)
    x = x + f.linear("down", h, x.features)
    return f.layer_norm("output_norm", x, eps=eps)


def attention(f: F, x: Value, mask: Value, *, heads: int) -> Value:
    split = (*x.shape[:-1], heads, x.features // heads)
    q, k, v = (
        f.reshape(f.linear(part, x, x.features), split, name=part[0])
        for part in ("query", "key", "value")
    )
    y = f.dot_product_attention(q, k, v, mask, name="attended")
    return f.linear("output", f.flatten(y, start=-2, name="merged"), x.features)
