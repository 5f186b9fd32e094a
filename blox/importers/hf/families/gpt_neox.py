"""GPT-NeoX and Pythia. Black et al., arXiv:2204.06745."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..family.family import Family
from ..family.settings import choice, flag, number, rate, size, unused
from ..parts.activations import ACTIVATIONS, activation
from ..parts.decoders import HEADS, TOP, Attend, Decoder, Given, Maps, Outputs
from ..parts.fused import of_each_head
from ..parts.rotary import RotarySettings, turned

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value


@dataclass(frozen=True, kw_only=True)
class GPTNeoXConfig(RotarySettings):
    vocab_size: int = size(50432, "vocab")
    hidden_size: int = size(6144, "width")
    num_hidden_layers: int = size(44, "depth", high=4096)
    num_attention_heads: int = size(64, "heads")
    intermediate_size: int = size(24576, "hidden")
    max_position_embeddings: int = size(2048, "context")
    hidden_act: str = choice("gelu", *ACTIVATIONS)
    layer_norm_eps: float = number(1e-5, 1e-30, 1.0)
    tie_word_embeddings: bool = flag(False)
    use_parallel_residual: bool = flag(True)
    attention_bias: bool = flag(True)
    rotary_pct: float = number(0.25, 0.0, 1.0)
    rotary_emb_base: float = number(10000.0, 1e-3, 1e12)
    rope_theta: float = unused()
    partial_rotary_factor: float = unused()
    attention_dropout: float = rate(0.0)
    hidden_dropout: float = rate(0.0)
    classifier_dropout: float = rate(0.1)

    @property
    def rope_base(self) -> float:
        return self.rotary_emb_base

    @property
    def rope_share(self) -> float:
        return self.rotary_pct

    def faults(self) -> Iterator[tuple[str, str]]:
        width, heads = self.hidden_size, self.num_attention_heads
        if width % heads:
            message = f"expected a multiple of the {heads} heads, found {width}"
            yield "hidden_size", message
        yield from self.rope_faults(width // heads)


class GPTNeoX(Decoder):
    embedding = "embed_in"
    token_head = "classifier"

    @property
    def config(self) -> GPTNeoXConfig:
        return self.model.config  # type: ignore[no-any-return]

    @property
    def use_bias(self) -> bool:  # type: ignore[override]
        return self.config.attention_bias

    def start(self, f: F, input_ids: Value, positions: Value) -> tuple[Value, Outputs]:
        config = self.config
        size = config.hidden_size // config.num_attention_heads
        cos, sin = f.rope_table(positions, **config.rope(self.b.context, size))
        x = f.embed("embed_in", input_ids, self.b.vocab, self.b.width)
        return x, {"cos": cos, "sin": sin}

    def layer(self, f: F, x: Value, attend: Attend) -> Value:
        eps = self.config.layer_norm_eps
        y = attend(f.layer_norm("input_norm", x, eps=eps))
        if self.config.use_parallel_residual:
            return x + y + self.mlp(f, f.layer_norm("mlp_norm", x, eps=eps))
        x = x + y
        return x + self.mlp(f, f.layer_norm("mlp_norm", x, eps=eps))

    def mlp(self, f: F, x: Value) -> Value:
        y = activation(f, self.config.hidden_act, f.linear("up", x, self.b.hidden))
        return f.linear("down", y, self.b.width)

    def maps(self, f: F, x: Value, given: Given) -> Maps:
        query, key, value = super().maps(f, x, given)
        return Maps(
            turned(f, query, given["cos"], given["sin"], "q_rope"),
            turned(f, key, given["cos"], given["sin"], "k_rope"),
            value,
        )

    def end(self, f: F, x: Value) -> Value:
        return f.layer_norm("final_norm", x, eps=self.config.layer_norm_eps)


MODULES = {
    "embed_in": "embed_in",
    "layers.{i}.input_norm": "layers.{i}.input_layernorm",
    "layers.{i}.mlp_norm": "layers.{i}.post_attention_layernorm",
    "layers.{i}.attention.output": "layers.{i}.attention.dense",
    "layers.{i}.up": "layers.{i}.mlp.dense_h_to_4h",
    "layers.{i}.down": "layers.{i}.mlp.dense_4h_to_h",
    "final_norm": "final_layer_norm",
    "lm_head": "embed_out",
    "score": "score",
    "classifier": "classifier",
    "qa_outputs": "qa_outputs",
}

FAMILIES = {
    "gpt_neox": Family(
        model_type="gpt_neox",
        config=GPTNeoXConfig,
        heads={f"GPTNeoX{end}": head for end, head in HEADS.items()},
        write=lambda b, model: GPTNeoX(b, model).write(),
        modules=MODULES,
        rules=lambda model: [
            *of_each_head(
                "layers.{i}.attention.query_key_value", model.config.num_attention_heads
            )
        ],
        prefix="gpt_neox.",
        top=("embed_out", *TOP),
        ignored=("layers.*.attention.bias", "layers.*.attention.masked_bias",
                 "layers.*.attention.rotary_emb.inv_freq"),
    )
}  # fmt: skip
