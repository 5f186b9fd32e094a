"""ALBERT. Lan et al., arXiv:1909.11942. All layers of a group have the same parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blox.mapping.rules import AnyRule, Rule

from ..family.family import Family, Model
from ..family.settings import choice, rate, size, unused
from ..parts.activations import ACTIVATIONS
from ..parts.encoders import BUFFERS, OLD_NAMES
from ..parts.encoders import MODULES as COMMON
from ..parts.functions import named
from .bert import BertConfig, Narrow

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value

    from ..parts.texts import Outputs


@dataclass(frozen=True, kw_only=True)
class AlbertConfig(BertConfig):
    vocab_size: int = size(30000, "vocab")
    embedding_size: int = size(128, "embedding")
    hidden_size: int = size(4096, "width")
    num_hidden_groups: int = size(1, high=4096)
    inner_group_num: int = size(1, high=4096)
    num_attention_heads: int = size(64, "heads")
    intermediate_size: int = size(16384, "hidden")
    hidden_act: str = choice("gelu_new", *ACTIVATIONS)
    classifier_dropout_prob: float | None = rate(0.1)
    down_scale_factor: int = unused()
    gap_size: int = unused()
    net_structure_type: int = unused()
    num_memory_blocks: int = unused()
    layers_to_keep: str | None = unused()  # a list

    def faults(self) -> Iterator[tuple[str, str]]:
        yield from super().faults()
        depth, groups = self.num_hidden_layers, self.num_hidden_groups
        if depth % groups:
            message = f"expected a divisor of the {depth} layers, found {groups}"
            yield "num_hidden_groups", message


class Albert(Narrow):
    @property
    def config(self) -> AlbertConfig:
        return self.model.config  # type: ignore[no-any-return]

    def layers(self, f: F, x: Value, present: Value) -> Value:
        mask = f.padding_mask(present, name="mask")
        groups, inner = self.config.num_hidden_groups, self.config.inner_group_num

        def block(f: F, x: Value, mask: Value) -> Value:
            layer = named("layer", self.layer, mask=mask)
            y: Value = f.repeat("layers", layer, count=inner)(x, mask)
            return y

        def group(f: F, x: Value, mask: Value) -> Value:
            each = named("layer", self.layer, mask=mask) if inner == 1 else block
            count = self.b.depth // groups
            y: Value = f.scan("shared", each, length=count)(x, mask)
            return y

        if groups == 1:
            return group(f, x, mask)
        return f.repeat("groups", group, count=groups)(x, mask)

    def end(self, f: F, x: Value, present: Value) -> Outputs:
        if self.model.head != "masked_lm and order_labels":
            return super().end(f, x, present)
        order = f.linear("order", self.pooled(f, x), self.b.labels)
        return {"prediction_logits": self.words(f, x), "sop_logits": order}


LAYER = {
    "attention.query": "attention.query",
    "attention.key": "attention.key",
    "attention.value": "attention.value",
    "attention.output": "attention.dense",
    "attention_norm": "attention.LayerNorm",
    "up": "ffn",
    "down": "ffn_output",
    "output_norm": "full_layer_layer_norm",
}
GROUP = "encoder.albert_layer_groups"


def modules() -> dict[str, str]:
    """A layer is the only one of its group or not, a group the only one or not."""
    places: dict[str, Any] = {
        "shared": f"{GROUP}.0.albert_layers.0",
        "shared.layers.{j}": GROUP + ".0.albert_layers.{j}",
        "groups.{i}.shared": GROUP + ".{i}.albert_layers.0",
        "groups.{i}.shared.layers.{j}": GROUP + ".{i}.albert_layers.{j}",
    }
    found = {n: m for n, m in COMMON.items() if not n.startswith("encoder")}
    for ours, theirs in places.items():
        found |= {f"{ours}.{n}": f"{theirs}.{m}" for n, m in LAYER.items()}
    return found | {
        "projection": "encoder.embedding_hidden_mapping_in",
        "pooler": "pooler",
        "predictions.dense": "predictions.dense",
        "predictions.norm": "predictions.LayerNorm",
        "order": "sop_classifier.classifier",
    }


def rules(model: Model) -> list[AnyRule]:
    bias = Rule("decoder_bias", "predictions.bias")
    return [bias] if "masked_lm" in model.head else []


FAMILIES = {
    "albert": Family(
        model_type="albert",
        config=AlbertConfig,
        heads={
            "AlbertModel": "",
            "AlbertForPreTraining": "masked_lm and order_labels",
            "AlbertForMaskedLM": "masked_lm",
            "AlbertForSequenceClassification": "sequence_labels",
            "AlbertForTokenClassification": "token_labels",
            "AlbertForQuestionAnswering": "question_answering",
            "AlbertForMultipleChoice": "multiple_choice",
        },
        write=lambda b, model: Albert(b, model).write(),
        modules=modules(),
        rules=rules,
        prefix="albert.",
        top=("predictions", "sop_classifier", "classifier", "qa_outputs"),
        parts={"pooler": "pooler.weight"},
        old_names=OLD_NAMES,
        ignored=(*BUFFERS, "predictions.decoder.**"),
    )
}
