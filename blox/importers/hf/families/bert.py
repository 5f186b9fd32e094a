"""BERT. Devlin et al., arXiv:1810.04805. Post-norm: the sum of each branch is normalised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blox.mapping.rules import AnyRule, Rule

from ..family.family import Family, Model
from ..family.sentence import add_sentence_embedding
from ..family.settings import Settings, choice, number, only, rate, size, unused
from ..parts.activations import ACTIVATIONS, activation
from ..parts.texts import (
    Outputs,
    inputs,
    padding,
    prediction,
    question_answering,
    words,
)

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.graph import GraphBuilder
    from blox.builder.values import Value


@dataclass(frozen=True, kw_only=True)
class BertConfig(Settings):
    vocab_size: int = size(30522, "vocab")
    hidden_size: int = size(768, "width")
    num_hidden_layers: int = size(12, "depth", high=4096)
    num_attention_heads: int = size(12, "heads")
    intermediate_size: int = size(3072, "hidden")
    max_position_embeddings: int = size(512, "context")
    type_vocab_size: int = size(2, "types")
    hidden_act: str = choice("gelu", *ACTIVATIONS)
    layer_norm_eps: float = number(1e-12, 1e-30, 1.0)
    tie_word_embeddings: bool = only(True)
    position_embedding_type: str = only("absolute")
    hidden_dropout_prob: float = rate(0.1)
    attention_probs_dropout_prob: float = rate(0.1)
    classifier_dropout: float | None = unused()

    def faults(self) -> Iterator[tuple[str, str]]:
        width, heads = self.hidden_size, self.num_attention_heads
        if width % heads:
            message = f"expected a multiple of the {heads} heads, found {width}"
            yield "hidden_size", message


def write(b: GraphBuilder, model: Model) -> None:
    """(batch, seq) ids -> hidden states, or what a head makes of them."""
    config: BertConfig = model.config
    b.dim("seq", max=b.context)
    given = inputs(model, "attention_mask", "token_type_ids", "position_ids")

    @b.entry(**given)
    def main(
        f: F,
        input_ids: Value,
        attention_mask: Value | None = None,
        token_type_ids: Value | None = None,
        position_ids: Value | None = None,
    ) -> Outputs:
        """Token ids to hidden states of the last layer, or what a head makes of them."""
        mask = padding(f, input_ids, attention_mask)
        types = f.default(token_type_ids, f.zeros_like(input_ids), name="types")
        offsets = f.arange(stop=input_ids.shape[-1], name="offsets")
        positions = f.default(position_ids, offsets, name="positions")
        x = f.embed("word", input_ids, b.vocab, b.width)
        x = x + f.embed("token_type", types, b.types, b.width)
        x = x + f.embed("position", positions, b.context, b.width)
        x = f.layer_norm("norm", x, eps=config.layer_norm_eps)
        run = f.repeat("encoder", layer, count=b.depth)
        x = run(
            x,
            mask,
            heads=b.heads,
            hidden=b.hidden,
            act=config.hidden_act,
            eps=config.layer_norm_eps,
        )
        return with_head(f, b, x, model)

    if model.sentence is not None:
        add_sentence_embedding(b, main, model.sentence, given)


def with_head(f: F, b: GraphBuilder, x: Value, model: Model) -> Outputs:
    config, head = model.config, model.head
    if head == "token_labels":
        return {"logits": f.linear("classifier", x, b.labels)}
    if head == "question_answering":
        return question_answering(f, x)
    found: Outputs = {} if head else {"last_hidden_state": x}
    if "masked_lm" in head:
        y = f.call("predictions", prediction)(
            x, act=config.hidden_act, eps=config.layer_norm_eps
        )
        logits = words(f, y, b.vocab, tied="word", bias="decoder_bias")
        if head == "masked_lm":
            return {"logits": logits}
        found = {"prediction_logits": logits}
    if "pooler" not in model.parts:
        return found
    pooled = f.tanh(f.linear("pooler", x[..., 0, :], b.width), name="pooled")
    if not head:
        return {**found, "pooler_output": pooled}
    if head == "multiple_choice":
        return {"logits": f.linear("classifier", pooled, 1)[..., 0]}
    if head == "sequence_labels":
        return {"logits": f.linear("classifier", pooled, b.labels)}
    name = "seq_relationship_logits" if found else "logits"
    return {**found, name: f.linear("next_sentence", pooled, 2)}


def layer(
    f: F, x: Value, mask: Value, *, heads: int, hidden: int, act: str, eps: float
) -> Value:
    x = x + f.call("attention", attention)(x, mask, heads=heads)
    x = f.layer_norm("attention_norm", x, eps=eps)
    h = activation(f, act, f.linear("up", x, hidden))
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
    "predictions.dense": "cls.predictions.transform.dense",
    "predictions.norm": "cls.predictions.transform.LayerNorm",
    "next_sentence": "cls.seq_relationship",
    "classifier": "classifier",
    "qa_outputs": "qa_outputs",
}


def rules(model: Model) -> list[AnyRule]:
    bias = Rule("decoder_bias", "cls.predictions.bias")
    return [bias] if "masked_lm" in model.head else []


BERT = Family(
    model_type="bert",
    config=BertConfig,
    heads={
        "BertModel": "",
        "BertForPreTraining": "masked_lm and next_sentence",
        "BertForMaskedLM": "masked_lm",
        "BertForNextSentencePrediction": "next_sentence",
        "BertForSequenceClassification": "sequence_labels",
        "BertForTokenClassification": "token_labels",
        "BertForQuestionAnswering": "question_answering",
        "BertForMultipleChoice": "multiple_choice",
    },
    write=write,
    modules=MODULES,
    rules=rules,
    prefix="bert.",
    top=("cls", "classifier", "qa_outputs"),
    parts={"pooler": "pooler.dense.weight"},
    old_names=((".LayerNorm.gamma", ".LayerNorm.weight"),
               (".LayerNorm.beta", ".LayerNorm.bias")),
    ignored=("embeddings.position_ids", "embeddings.token_type_ids",
             "cls.predictions.decoder.**"),
)  # fmt: skip

FAMILIES = {"bert": BERT}
