"""Encoders with norms before branches: Megatron-BERT (arXiv:1909.08053), RoBERTa-PreLayerNorm
(arXiv:1904.01038) and XLM-RoBERTa-XL (arXiv:2105.00572)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..family.settings import number, size
from ..parts.activations import activation
from ..parts.encoders import MODULES, Encoder
from ..parts.functions import named
from .bert import Bert, BertConfig, bert_family
from .roberta import Roberta, RobertaConfig, roberta_family

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value


@dataclass(frozen=True, kw_only=True)
class MegatronBertConfig(BertConfig):
    vocab_size: int = size(29056, "vocab")
    hidden_size: int = size(1024, "width")
    num_hidden_layers: int = size(24, "depth", high=4096)
    num_attention_heads: int = size(16, "heads")
    intermediate_size: int = size(4096, "hidden")


@dataclass(frozen=True, kw_only=True)
class XLMRobertaXLConfig(RobertaConfig):
    vocab_size: int = size(250880, "vocab")
    hidden_size: int = size(2560, "width")
    num_hidden_layers: int = size(36, "depth", high=4096)
    num_attention_heads: int = size(32, "heads")
    intermediate_size: int = size(10240, "hidden")
    max_position_embeddings: int = size(514, "context")
    type_vocab_size: int = size(1, "types")
    layer_norm_eps: float = number(1e-5, 1e-30, 1.0)


class PreNorm(Encoder):
    def layers(self, f: F, x: Value, present: Value) -> Value:
        return f.layer_norm("final_norm", super().layers(f, x, present), eps=self.eps)

    def layer(self, f: F, x: Value, **given: Value) -> Value:
        """Pre-norm: what goes into each branch is normalised."""
        attention = f.call("attention", named("attention", self.attention, **given))
        x = x + attention(f.layer_norm("attention_norm", x, eps=self.eps), **given)
        y = f.linear("up", f.layer_norm("mlp_norm", x, eps=self.eps), self.b.hidden)
        return x + f.linear("down", activation(f, self.act, y), x.features)


class PlainSum(PreNorm):
    """The sum of embeddings is not normalised."""

    def started(
        self, f: F, x: Value, input_ids: Value, **others: Value | None
    ) -> Value:
        return x


class MegatronBert(PlainSum, Bert): ...


class RobertaPreLayerNorm(PreNorm, Roberta): ...


class XLMRobertaXL(PlainSum, Roberta): ...


LAYER = "encoder.layer.{i}"
MEGATRON = {
    "encoder.{i}.attention_norm": f"{LAYER}.attention.ln",
    "encoder.{i}.mlp_norm": f"{LAYER}.ln",
    "final_norm": "encoder.ln",
}
ROBERTA = {
    "encoder.{i}.attention_norm": f"{LAYER}.attention.LayerNorm",
    "encoder.{i}.mlp_norm": f"{LAYER}.intermediate.LayerNorm",
    "final_norm": "LayerNorm",
}
XL = {
    "encoder.{i}.attention_norm": f"{LAYER}.attention.self_attn_layer_norm",
    "encoder.{i}.mlp_norm": f"{LAYER}.LayerNorm",
    "final_norm": "encoder.LayerNorm",
}

FAMILIES = {
    family.model_type: family
    for family in (
        bert_family(
            "megatron-bert",
            "MegatronBert",
            MegatronBertConfig,
            MegatronBert,
            "bert.",
            MODULES | MEGATRON,
        ),
        roberta_family(
            "roberta-prelayernorm",
            "RobertaPreLayerNorm",
            "roberta_prelayernorm.",
            encoder=RobertaPreLayerNorm,
            modules=MODULES | ROBERTA,
        ),
        roberta_family(
            "xlm-roberta-xl",
            "XLMRobertaXL",
            encoder=XLMRobertaXL,
            config=XLMRobertaXLConfig,
            modules=MODULES | XL,
        ),
    )
}
