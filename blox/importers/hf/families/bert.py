"""The BERT family: its Graph, and what transformers calls its arrays.

Devlin et al., arXiv:1810.04805. Post-norm: the sum of each branch is normalised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blox.builder.graph import GraphBuilder
from blox.builder.values import Input

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
