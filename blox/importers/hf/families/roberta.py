"""RoBERTa. Liu et al., arXiv:1907.11692. XLM-RoBERTa, CamemBERT and data2vec are as it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blox.mapping.rules import AnyRule, Rule

from ..family.family import Family, Model
from ..family.settings import size
from ..parts.encoders import BUFFERS, MODULES, OLD_NAMES, POOLER, Encoder
from ..parts.texts import classifier, positions_of_tokens
from .bert import BertConfig

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value


@dataclass(frozen=True, kw_only=True)
class RobertaConfig(BertConfig):
    vocab_size: int = size(50265, "vocab")
    pad_token_id: int = size(1, low=0)

    def faults(self) -> Iterator[tuple[str, str]]:
        yield from super().faults()
        least, context = self.pad_token_id + 2, self.max_position_embeddings
        if context < least:
            message = f"expected at least {least} for the first token, found {context}"
            yield "max_position_embeddings", message


class Roberta(Encoder):
    """Positions count tokens that are no padding, from the id of padding on."""

    @property
    def head_act(self) -> str:
        return "gelu"

    @property
    def padding_id(self) -> int:
        return int(self.config.pad_token_id)

    @property
    def longest(self) -> Any:
        return self.b.context - (self.padding_id + 1)

    def positions(self, f: F, input_ids: Value) -> Value:
        return positions_of_tokens(f, input_ids, self.padding_id)

    def labelled(self, f: F, x: Value) -> Value:
        return f.call("classifier", classifier)(x, act="tanh", labels=self.b.labels)


HEAD = {
    "predictions.dense": "lm_head.dense",
    "predictions.norm": "lm_head.layer_norm",
    "classifier.dense": "classifier.dense",
    "classifier.out": "classifier.out_proj",
}


def rules(model: Model) -> list[AnyRule]:
    masked = model.head == "masked_lm"
    return [Rule("decoder_bias", "lm_head.bias")] if masked else []


def roberta_family(
    model_type: str,
    name: str,
    prefix: str = "roberta.",
    *,
    encoder: type[Roberta] = Roberta,
    config: type[RobertaConfig] = RobertaConfig,
    modules: Mapping[str, str] = MODULES,
) -> Family:
    """A family with RoBERTa's heads."""
    return Family(
        model_type=model_type,
        config=config,
        heads={
            f"{name}Model": "",
            f"{name}ForMaskedLM": "masked_lm",
            f"{name}ForSequenceClassification": "sequence_labels",
            f"{name}ForTokenClassification": "token_labels",
            f"{name}ForQuestionAnswering": "question_answering",
            f"{name}ForMultipleChoice": "multiple_choice",
        },
        write=lambda b, model: encoder(b, model).write(),
        modules={**modules, **HEAD},
        rules=rules,
        prefix=prefix,
        top=("lm_head", "classifier", "qa_outputs"),
        parts=POOLER,
        old_names=OLD_NAMES,
        ignored=(*BUFFERS, "lm_head.decoder.**"),
    )


FAMILIES = {
    family.model_type: family
    for family in (
        roberta_family("roberta", "Roberta"),
        roberta_family("xlm-roberta", "XLMRoberta"),
        roberta_family("camembert", "Camembert"),
        roberta_family("data2vec-text", "Data2VecText", "data2vec_text."),
    )
}
