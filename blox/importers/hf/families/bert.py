"""BERT. Devlin et al., arXiv:1810.04805."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blox.mapping.rules import AnyRule, Rule

from ..family.family import Family, Model
from ..family.settings import Settings, choice, number, only, rate, size, unused
from ..parts.activations import ACTIVATIONS
from ..parts.encoders import BUFFERS, MODULES, OLD_NAMES, POOLER, Encoder

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value

    from ..parts.texts import Outputs


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
    directionality: str = only("bidi")
    pooler_fc_size: int = unused()
    pooler_num_attention_heads: int = unused()
    pooler_num_fc_layers: int = unused()
    pooler_size_per_head: int = unused()
    pooler_type: str = unused()

    def faults(self) -> Iterator[tuple[str, str]]:
        width, heads = self.hidden_size, self.num_attention_heads
        if width % heads:
            message = f"expected a multiple of the {heads} heads, found {width}"
            yield "hidden_size", message


class Bert(Encoder):
    """With scores of two texts that follow each other, or don't."""

    def end(self, f: F, x: Value, present: Value) -> Outputs:
        head = self.model.head
        if "next_sentence" not in head:
            return super().end(f, x, present)
        found = f.linear("next_sentence", self.pooled(f, x), 2)
        if head == "next_sentence":
            return {"logits": found}
        return {"prediction_logits": self.words(f, x), "seq_relationship_logits": found}


class Narrow(Encoder):
    """With tables of narrow rows, and a map from them to hidden states."""

    @property
    def projected(self) -> bool:
        return True

    def start(
        self,
        f: F,
        input_ids: Value,
        token_type_ids: Value | None = None,
        position_ids: Value | None = None,
        **others: Value | None,
    ) -> Value:
        x = super().start(f, input_ids, token_type_ids, position_ids)
        return f.linear("projection", x, self.b.width) if self.projected else x

    def embedded(self, f: F, name: str, ids: Value, rows: int) -> Value:
        return f.embed(name, ids, rows, self.b.embedding)

    @property
    def word_width(self) -> Any:
        return self.b.embedding


def rules(model: Model) -> list[AnyRule]:
    bias = Rule("decoder_bias", "cls.predictions.bias")
    return [bias] if "masked_lm" in model.head else []


def bert_family(
    model_type: str,
    name: str,
    config: type[BertConfig],
    encoder: type[Bert],
    prefix: str,
    modules: Mapping[str, str] = MODULES,
) -> Family:
    """A family with BERT's heads."""
    return Family(
        model_type=model_type,
        config=config,
        heads={
            f"{name}Model": "",
            f"{name}ForPreTraining": "masked_lm and next_sentence",
            f"{name}ForMaskedLM": "masked_lm",
            f"{name}ForNextSentencePrediction": "next_sentence",
            f"{name}ForSequenceClassification": "sequence_labels",
            f"{name}ForTokenClassification": "token_labels",
            f"{name}ForQuestionAnswering": "question_answering",
            f"{name}ForMultipleChoice": "multiple_choice",
        },
        write=lambda b, model: encoder(b, model).write(),
        modules={
            **modules,
            "predictions.dense": "cls.predictions.transform.dense",
            "predictions.norm": "cls.predictions.transform.LayerNorm",
            "next_sentence": "cls.seq_relationship",
        },
        rules=rules,
        prefix=prefix,
        top=("cls", "classifier", "qa_outputs"),
        parts=POOLER,
        old_names=OLD_NAMES,
        ignored=(*BUFFERS, "cls.predictions.decoder.**"),
    )


BERT = bert_family("bert", "Bert", BertConfig, Bert, "bert.")

FAMILIES = {"bert": BERT}
