"""What encoders of texts have in common: BERT's entry, layers and heads.

A family overrides what it does otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..family.sentence import add_sentence_embedding
from .activations import activation
from .functions import entry, named
from .texts import Outputs, inputs, prediction, question_answering, words

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.graph import GraphBuilder
    from blox.builder.values import Value

    from ..family.family import Model


class Encoder:
    """An encoder's Graph, whose attributes are named as BERT's.

    Attributes:
        takes: inputs of `main` beside `input_ids`, (batch, seq).
        b: writes it.
        model: of it.
    """

    takes: tuple[str, ...] = (
        "attention_mask", "token_type_ids", "position_ids",
    )  # fmt: skip

    def __init__(self, b: GraphBuilder, model: Model) -> None:
        self.b, self.model = b, model

    @property
    def config(self) -> Any:
        """The settings of its family."""
        return self.model.config

    @property
    def eps(self) -> float:
        """Of layer norms."""
        return float(self.config.layer_norm_eps)

    @property
    def act(self) -> str:
        """The activation of layers."""
        return str(self.config.hidden_act)

    @property
    def head_act(self) -> str:
        """The activation before words are scored."""
        return self.act

    @property
    def word_width(self) -> Any:
        """The size of a row of the table of words."""
        return self.b.width

    @property
    def longest(self) -> Any:
        """The length of texts."""
        return self.b.context

    def write(self) -> None:
        """(batch, seq) ids -> hidden states, or what a head makes of them."""
        self.b.dim("seq", max=self.longest)
        given = inputs(self.model, *self.takes)

        def run(
            f: F,
            input_ids: Value,
            attention_mask: Value | None = None,
            **others: Value | None,
        ) -> Outputs:
            """Token ids to hidden states of the last layer, or what a head makes of them."""
            present = f.default(attention_mask, f.ones_like(input_ids), name="present")
            x = self.encoded(f, input_ids, present, **others)
            return self.end(f, x, present)

        main = self.b.entry(entry("main", run, given), **given)
        if self.model.sentence is not None:
            add_sentence_embedding(self.b, main, self.model.sentence, given)

    def encoded(
        self, f: F, input_ids: Value, present: Value, **others: Value | None
    ) -> Value:
        """Hidden states, (batch, seq, width)."""
        return self.layers(f, self.start(f, input_ids, **others), present)

    # Embeddings.

    def start(
        self,
        f: F,
        input_ids: Value,
        token_type_ids: Value | None = None,
        position_ids: Value | None = None,
        **others: Value | None,
    ) -> Value:
        """(batch, seq) -> (batch, seq, width)."""
        x = self.embedded(f, "word", input_ids, self.b.vocab)
        if "token_type_ids" in self.takes:
            types = f.default(token_type_ids, f.zeros_like(input_ids), name="types")
            x = x + self.embedded(f, "token_type", types, self.b.types)
        positions = f.default(
            position_ids, self.positions(f, input_ids), name="positions"
        )
        x = x + self.embedded(f, "position", positions, self.b.context)
        return self.started(f, x, input_ids, **others)

    def started(
        self, f: F, x: Value, input_ids: Value, **others: Value | None
    ) -> Value:
        """The sum of embeddings, normalised."""
        return f.layer_norm("norm", x, eps=self.eps)

    def embedded(self, f: F, name: str, ids: Value, rows: int) -> Value:
        """Rows of a table."""
        return f.embed(name, ids, rows, self.b.width)

    def positions(self, f: F, input_ids: Value) -> Value:
        """Those of tokens, where none are given."""
        return f.arange(stop=input_ids.shape[-1], name="offsets")

    # Layers.

    def layers(self, f: F, x: Value, present: Value) -> Value:
        """All layers; present (batch, seq) is not 0 where a token is."""
        given = {"mask": f.padding_mask(present, name="mask"), **self.given(f, x)}
        layer = named("layer", self.layer, **given)
        y: Value = f.repeat("encoder", layer, count=self.b.depth)(x, **given)
        return y

    def given(self, f: F, x: Value) -> dict[str, Value]:
        """What all layers are given beside hidden states and `mask`."""
        return {}

    def layer(self, f: F, x: Value, **given: Value) -> Value:
        """Post-norm: the sum of each branch is normalised."""
        attention = named("attention", self.attention, **given)
        x = x + f.call("attention", attention)(x, **given)
        x = f.layer_norm("attention_norm", x, eps=self.eps)
        h = activation(f, self.act, f.linear("up", x, self.b.hidden))
        x = x + f.linear("down", h, x.features)
        return f.layer_norm("output_norm", x, eps=self.eps)

    def attention(self, f: F, x: Value, mask: Value, **given: Value) -> Value:
        q, k, v = (self.by_heads(f, name, x) for name in ("query", "key", "value"))
        y = f.dot_product_attention(q, k, v, mask, given.get("bias"), name="attended")
        return f.linear("output", f.flatten(y, start=-2, name="merged"), x.features)

    def by_heads(self, f: F, name: str, x: Value) -> Value:
        """A map of hidden states: (batch, seq, heads, width // heads)."""
        split = (*x.shape[:-1], self.b.heads, x.features // self.b.heads)
        return f.reshape(f.linear(name, x, x.features), split, name=name[0])

    # Heads.

    def end(self, f: F, x: Value, present: Value) -> Outputs:
        """What the head makes of hidden states."""
        head = self.model.head
        if head == "masked_lm":
            return {"logits": self.words(f, x)}
        if head == "token_labels":
            return {"logits": f.linear("classifier", x, self.b.labels)}
        if head == "question_answering":
            return question_answering(f, x)
        if head == "sequence_labels":
            return {"logits": self.labelled(f, x)}
        if head == "multiple_choice":
            return {"logits": f.linear("classifier", self.chosen(f, x), 1)[..., 0]}
        found = {"last_hidden_state": x}
        pooler = "pooler" in self.model.parts
        return {**found, "pooler_output": self.pooled(f, x)} if pooler else found

    def words(self, f: F, x: Value) -> Value:
        """Scores of all words."""
        y = f.call("predictions", prediction)(
            x, act=self.head_act, eps=self.eps, features=self.word_width
        )
        return words(f, y, self.b.vocab, tied="word", bias="decoder_bias")

    def pooled(self, f: F, x: Value) -> Value:
        """A text as one vector: (batch, seq, width) -> (batch, width)."""
        return f.tanh(f.linear("pooler", x[..., 0, :], self.b.width), name="pooled")

    def labelled(self, f: F, x: Value) -> Value:
        """Scores of a text's labels."""
        return f.linear("classifier", self.pooled(f, x), self.b.labels)

    def chosen(self, f: F, x: Value) -> Value:
        """What tells how good a choice is."""
        return self.pooled(f, x)


MODULES = {
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
    "classifier": "classifier",
    "qa_outputs": "qa_outputs",
}
"""Where BERT's layers lie, and their modules."""

OLD_NAMES = (
    (".LayerNorm.gamma", ".LayerNorm.weight"),
    (".LayerNorm.beta", ".LayerNorm.bias"),
)
BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
POOLER = {"pooler": "pooler.dense.weight"}
