"""DistilBERT. Sanh et al., arXiv:1910.01108."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blox.mapping.rules import AnyRule, Rule

from ..family.family import Family, Model
from ..family.settings import Settings, choice, flag, only, rate, size
from ..parts.activations import ACTIVATIONS
from ..parts.encoders import BUFFERS, OLD_NAMES, Encoder

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value


@dataclass(frozen=True, kw_only=True)
class DistilBertConfig(Settings):
    vocab_size: int = size(30522, "vocab")
    dim: int = size(768, "width")
    n_layers: int = size(6, "depth", high=4096)
    n_heads: int = size(12, "heads")
    hidden_dim: int = size(3072, "hidden")
    max_position_embeddings: int = size(512, "context")
    activation: str = choice("gelu", *ACTIVATIONS)
    sinusoidal_pos_embds: bool = flag(False)  # how the table of positions starts
    tie_word_embeddings: bool = only(True)
    tie_weights_: bool = only(True)  # in configs of transformers 3
    dropout: float = rate(0.1)
    attention_dropout: float = rate(0.1)
    qa_dropout: float = rate(0.1)
    seq_classif_dropout: float = rate(0.2)

    def faults(self) -> Iterator[tuple[str, str]]:
        if self.dim % self.n_heads:
            message = (
                f"expected a multiple of the {self.n_heads} heads, found {self.dim}"
            )
            yield "dim", message


class DistilBert(Encoder):
    """Without types of tokens, without a pooler."""

    takes = ("attention_mask", "position_ids")

    @property
    def eps(self) -> float:
        return 1e-12

    @property
    def act(self) -> str:
        return str(self.config.activation)

    def pooled(self, f: F, x: Value) -> Value:
        y = f.linear("pre_classifier", x[..., 0, :], x.features)
        return f.relu(y, name="pooled")


MODULES = {
    "word": "embeddings.word_embeddings",
    "position": "embeddings.position_embeddings",
    "norm": "embeddings.LayerNorm",
    "encoder.{i}.attention.query": "transformer.layer.{i}.attention.q_lin",
    "encoder.{i}.attention.key": "transformer.layer.{i}.attention.k_lin",
    "encoder.{i}.attention.value": "transformer.layer.{i}.attention.v_lin",
    "encoder.{i}.attention.output": "transformer.layer.{i}.attention.out_lin",
    "encoder.{i}.attention_norm": "transformer.layer.{i}.sa_layer_norm",
    "encoder.{i}.up": "transformer.layer.{i}.ffn.lin1",
    "encoder.{i}.down": "transformer.layer.{i}.ffn.lin2",
    "encoder.{i}.output_norm": "transformer.layer.{i}.output_layer_norm",
    "predictions.dense": "vocab_transform",
    "predictions.norm": "vocab_layer_norm",
    "pre_classifier": "pre_classifier",
    "classifier": "classifier",
    "qa_outputs": "qa_outputs",
}


def rules(model: Model) -> list[AnyRule]:
    masked = model.head == "masked_lm"
    return [Rule("decoder_bias", "vocab_projector.bias")] if masked else []


FAMILIES = {
    "distilbert": Family(
        model_type="distilbert",
        config=DistilBertConfig,
        heads={
            "DistilBertModel": "",
            "DistilBertForMaskedLM": "masked_lm",
            "DistilBertForSequenceClassification": "sequence_labels",
            "DistilBertForTokenClassification": "token_labels",
            "DistilBertForQuestionAnswering": "question_answering",
            "DistilBertForMultipleChoice": "multiple_choice",
        },
        write=lambda b, model: DistilBert(b, model).write(),
        modules=MODULES,
        rules=rules,
        prefix="distilbert.",
        top=("vocab_transform", "vocab_layer_norm", "vocab_projector",
             "pre_classifier", "classifier", "qa_outputs"),
        old_names=OLD_NAMES,
        ignored=(*BUFFERS, "vocab_projector.weight"),
    )
}  # fmt: skip
