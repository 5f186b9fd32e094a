"""ELECTRA. Clark et al., arXiv:2003.10555."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from blox.mapping.rules import AnyRule, Rule

from ..family.family import Family, Model
from ..family.settings import choice, flag, rate, size
from ..parts.activations import ACTIVATIONS, activation
from ..parts.encoders import BUFFERS, MODULES, OLD_NAMES
from ..parts.texts import classifier
from .bert import BertConfig, Narrow

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value

    from ..parts.texts import Outputs


@dataclass(frozen=True, kw_only=True)
class ElectraConfig(BertConfig):
    hidden_size: int = size(256, "width")
    embedding_size: int = size(128, "embedding")
    num_attention_heads: int = size(4, "heads")
    intermediate_size: int = size(1024, "hidden")
    summary_type: str = choice("first", "first", "last", "mean", "cls_index")
    summary_use_proj: bool = flag(True)
    summary_activation: str | None = choice("gelu", None, *ACTIVATIONS)
    summary_last_dropout: float = rate(0.1)


class Electra(Narrow):
    """A generator of tokens, and a discriminator that finds them."""

    @property
    def config(self) -> ElectraConfig:
        return self.model.config  # type: ignore[no-any-return]

    @property
    def head_act(self) -> str:
        return "gelu"

    @property
    def projected(self) -> bool:
        return self.config.embedding_size != self.config.hidden_size

    def end(self, f: F, x: Value, present: Value) -> Outputs:
        if self.model.head != "replaced_tokens":
            return super().end(f, x, present)
        y = activation(f, self.act, f.linear("replaced", x, x.features))
        return {"logits": f.linear("replaced_score", y, 1)[..., 0]}

    def labelled(self, f: F, x: Value) -> Value:
        return f.call("classifier", classifier)(x, act="gelu", labels=self.b.labels)

    def chosen(self, f: F, x: Value) -> Value:
        kind, act = self.config.summary_type, self.config.summary_activation
        if kind == "mean":
            x = f.mean(x, axis=-2)
        else:
            x = x[..., 0, :] if kind == "first" else x[..., -1, :]
        if self.config.summary_use_proj:
            x = f.linear("summary", x, x.features)
        return activation(f, act, x) if act else x


def rules(model: Model) -> list[AnyRule]:
    masked = model.head == "masked_lm"
    return [Rule("decoder_bias", "generator_lm_head.bias")] if masked else []


FAMILIES = {
    "electra": Family(
        model_type="electra",
        config=ElectraConfig,
        heads={
            "ElectraModel": "",
            "ElectraForPreTraining": "replaced_tokens",
            "ElectraForMaskedLM": "masked_lm",
            "ElectraForSequenceClassification": "sequence_labels",
            "ElectraForTokenClassification": "token_labels",
            "ElectraForQuestionAnswering": "question_answering",
            "ElectraForMultipleChoice": "multiple_choice",
        },
        write=lambda b, model: Electra(b, model).write(),
        modules=MODULES
        | {
            "projection": "embeddings_project",
            "predictions.dense": "generator_predictions.dense",
            "predictions.norm": "generator_predictions.LayerNorm",
            "replaced": "discriminator_predictions.dense",
            "replaced_score": "discriminator_predictions.dense_prediction",
            "classifier.dense": "classifier.dense",
            "classifier.out": "classifier.out_proj",
            "summary": "sequence_summary.summary",
        },
        rules=rules,
        prefix="electra.",
        top=("generator_predictions", "generator_lm_head", "discriminator_predictions",
             "sequence_summary", "classifier", "qa_outputs"),
        old_names=OLD_NAMES,
        ignored=(*BUFFERS, "generator_lm_head.weight"),
    )
}  # fmt: skip
