"""MPNet. Song et al., arXiv:2004.09297. All layers have one bias of relative positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..family.family import Family
from ..family.settings import only, size, unused
from ..parts.encoders import BUFFERS, MODULES, OLD_NAMES, POOLER
from .bert import BertConfig
from .roberta import HEAD, Roberta, rules

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value


@dataclass(frozen=True, kw_only=True)
class MPNetConfig(BertConfig):
    vocab_size: int = size(30527, "vocab")
    type_vocab_size: int = unused()
    relative_attention_num_buckets: int = only(32)  # transformers has 32 in its code


class MPNet(Roberta):
    takes = ("attention_mask", "position_ids")

    @property
    def padding_id(self) -> int:
        return 1

    def given(self, f: F, x: Value) -> dict[str, Value]:
        places = f.arange(stop=x.shape[-2], name="places")
        bias = f.relative_bias(
            "relative", places, places, bidirectional=True, heads=self.b.heads
        )
        return {"bias": bias}


ATTENTION = {
    "encoder.{i}.attention.query": "encoder.layer.{i}.attention.attn.q",
    "encoder.{i}.attention.key": "encoder.layer.{i}.attention.attn.k",
    "encoder.{i}.attention.value": "encoder.layer.{i}.attention.attn.v",
    "encoder.{i}.attention.output": "encoder.layer.{i}.attention.attn.o",
    "encoder.{i}.attention_norm": "encoder.layer.{i}.attention.LayerNorm",
    "relative": "encoder.relative_attention_bias",
}

FAMILIES = {
    "mpnet": Family(
        model_type="mpnet",
        config=MPNetConfig,
        heads={
            "MPNetModel": "",
            "MPNetForMaskedLM": "masked_lm",
            "MPNetForSequenceClassification": "sequence_labels",
            "MPNetForTokenClassification": "token_labels",
            "MPNetForQuestionAnswering": "question_answering",
            "MPNetForMultipleChoice": "multiple_choice",
        },
        write=lambda b, model: MPNet(b, model).write(),
        modules=MODULES | HEAD | ATTENTION,
        rules=rules,
        prefix="mpnet.",
        top=("lm_head", "classifier", "qa_outputs"),
        parts=POOLER,
        old_names=OLD_NAMES,
        ignored=(*BUFFERS, "lm_head.decoder.**"),
    )
}
