"""Nomic BERT. Nussbaum et al., arXiv:2402.01613. Post-norm; rotary positions, gated maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blox.mapping.layouts import Kernel, Split
from blox.mapping.rules import AnyRule, Rule

from ..family.family import Family, Model
from ..family.settings import choice, number, size
from ..parts.activations import ACTIVATIONS, activation
from ..parts.encoders import BUFFERS, OLD_NAMES, POOLER, Encoder
from ..parts.encoders import MODULES as COMMON
from ..parts.functions import named
from ..parts.rotary import RotarySettings, turned
from .bert import BertConfig

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value


@dataclass(frozen=True, kw_only=True)
class NomicBertConfig(RotarySettings, BertConfig):
    vocab_size: int = size(30528, "vocab")
    hidden_act: str = choice("silu", *ACTIVATIONS)
    max_position_embeddings: int = size(2048, "context")
    head_dim: int | None = size(None, "head_dim")
    rope_theta: float = number(1000.0, 1e-3, 1e12)

    def __post_init__(self) -> None:
        if self.head_dim is None:
            each = max(1, self.hidden_size // self.num_attention_heads)
            object.__setattr__(self, "head_dim", each)

    def faults(self) -> Iterator[tuple[str, str]]:
        yield from self.rope_faults(self.head_dim or 0)


class NomicBert(Encoder):
    def encoded(
        self, f: F, input_ids: Value, present: Value, **others: Value | None
    ) -> Value:
        x = f.embed("word", input_ids, self.b.vocab, self.b.width)
        zeros = f.zeros_like(input_ids)
        types = f.default(others.get("token_type_ids"), zeros, name="types")
        x = x + f.embed("token_type", types, self.b.types, self.b.width)
        x = f.layer_norm("norm", x, eps=self.eps)
        offsets = f.arange(stop=input_ids.shape[-1], name="offsets")
        positions = f.default(others.get("position_ids"), offsets, name="positions")
        rope = self.config.rope(self.b.context, self.b.head_dim)
        if rope["dim"] == self.config.head_dim:
            rope["dim"] = self.b.head_dim
        cos, sin = f.rope_table(positions, **rope)
        mask = f.padding_mask(present, name="mask")
        given = {"mask": mask, "cos": cos, "sin": sin}
        layer = named("layer", self.layer, **given)
        y: Value = f.repeat("layers", layer, count=self.b.depth)(x, **given)
        return y

    def layer(self, f: F, x: Value, **given: Value) -> Value:
        """Post-norm: the sum of each branch is normalised."""
        attention = named("attention", self.attention, **given)
        x = x + f.call("attention", attention)(x, **given)
        x = f.layer_norm("attention_norm", x, eps=self.eps)
        x = x + f.call("mlp", self.mlp)(x)
        return f.layer_norm("mlp_norm", x, eps=self.eps)

    def attention(self, f: F, x: Value, mask: Value, **given: Value) -> Value:
        heads, size = self.b.heads, self.b.head_dim
        q, k, v = (
            f.reshape(
                f.linear(n, x, heads * size, use_bias=False),
                ["...", heads, size],
                name=n[0],
            )
            for n in ("query", "key", "value")
        )
        q, k = (
            turned(f, y, **given, name=f"{n}_rope") for n, y in (("q", q), ("k", k))
        )
        y = f.dot_product_attention(q, k, v, mask, name="attended")
        y = f.flatten(y, start=-2, name="merged")
        return f.linear("output", y, x.features, use_bias=False)

    def mlp(self, f: F, x: Value) -> Value:
        gate = activation(
            f, self.act, f.linear("gate", x, self.b.hidden, use_bias=False)
        )
        y = gate * f.linear("up", x, self.b.hidden, use_bias=False)
        return f.linear("down", y, x.features, use_bias=False)


LAYER = "encoder.layers.{i}"
MODULES = {n: m for n, m in COMMON.items() if not n.startswith("encoder")} | {
    "norm": "emb_ln",
    "layers.{i}.attention.output": f"{LAYER}.attn.out_proj",
    "layers.{i}.attention_norm": f"{LAYER}.norm1",
    "layers.{i}.mlp.gate": f"{LAYER}.mlp.fc12",
    "layers.{i}.mlp.up": f"{LAYER}.mlp.fc11",
    "layers.{i}.mlp.down": f"{LAYER}.mlp.fc2",
    "layers.{i}.mlp_norm": f"{LAYER}.norm2",
    "predictions.dense": "cls.predictions.transform.dense",
    "predictions.norm": "cls.predictions.transform.layer_norm",
}


def rules(model: Model) -> list[AnyRule]:
    """Queries, keys and values are one map."""
    parts = [f"layers.{{i}}.attention.{n}.kernel" for n in ("query", "key", "value")]
    qkv = Rule(parts, f"{LAYER}.attn.Wqkv.weight", Split(3), Kernel())
    return [qkv, Rule("decoder_bias", "cls.predictions.bias")]


FAMILIES = {
    "nomic_bert": Family(
        model_type="nomic_bert",
        config=NomicBertConfig,
        heads={
            "NomicBertModel": "",
            "NomicBertForMaskedLM": "masked_lm",
            "NomicBertForSequenceClassification": "sequence_labels",
            "NomicBertForTokenClassification": "token_labels",
        },
        write=lambda b, model: NomicBert(b, model).write(),
        modules=MODULES,
        rules=rules,
        prefix="nomic_bert.",
        top=("cls", "classifier"),
        parts=POOLER,
        old_names=OLD_NAMES,
        ignored=(*BUFFERS, "cls.predictions.decoder.**", "rotary_emb.**"),
    )
}
