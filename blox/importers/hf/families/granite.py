"""Kin of Llama that differ in a few places: Granite, OLMo 2, StarCoder2.

Granite Team, 2024; Team OLMo, arXiv:2501.00656; Lozhkov et al., arXiv:2402.19173.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..family.family import Family
from ..family.settings import choice, flag, number, only, rate, size, unused
from ..parts.activations import ACTIVATIONS, activation
from ..parts.decoders import HEADS, TOP, Attend
from .llama import MODULES, Llama, LlamaConfig

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value


@dataclass(frozen=True, kw_only=True)
class GraniteConfig(LlamaConfig):
    embedding_multiplier: float = number(1.0, 1e-9)
    logits_scaling: float = number(1.0, 1e-9)
    residual_multiplier: float = number(1.0, 1e-9)
    attention_multiplier: float = number(1.0, 1e-9)


@dataclass(frozen=True, kw_only=True)
class Olmo2Config(LlamaConfig):
    vocab_size: int = size(50304, "vocab")
    rms_norm_eps: float = number(1e-5, 1e-30, 1.0)
    mlp_bias: bool = only(False)


@dataclass(frozen=True, kw_only=True)
class Starcoder2Config(LlamaConfig):
    vocab_size: int = size(49152, "vocab")
    hidden_size: int = size(3072, "width")
    intermediate_size: int = size(12288, "hidden")
    num_hidden_layers: int = size(30, "depth", high=4096)
    num_attention_heads: int = size(24, "heads")
    num_key_value_heads: int | None = size(2, "kv_heads")
    max_position_embeddings: int = size(4096, "context")
    hidden_act: str = choice("gelu_pytorch_tanh", *ACTIVATIONS)
    norm_epsilon: float = number(1e-5, 1e-30, 1.0)
    rms_norm_eps: float = unused()  # there is none
    use_bias: bool = flag(True)
    attention_bias: bool = unused()
    mlp_bias: bool = unused()
    tie_word_embeddings: bool = flag(True)
    sliding_window: int | None = size(None, null=True)
    norm_type: str = only("layer_norm")
    mlp_type: str = only("default")
    residual_dropout: float = rate(0.0)
    embedding_dropout: float = rate(0.0)
    activation_function: str = unused()
    attention_softmax_in_fp32: bool = unused()
    scale_attention_softmax_in_fp32: bool = unused()
    scale_attn_weights: bool = only(True)

    @property
    def windows(self) -> list[int | None]:
        return [self.sliding_window] * self.num_hidden_layers

    @property
    def biases(self) -> tuple[bool, bool]:
        return self.use_bias, self.use_bias


class Granite(Llama):
    """Sums, scores and words are multiplied by numbers."""

    @property
    def config(self) -> GraniteConfig:
        return self.model.config  # type: ignore[no-any-return]

    @property
    def scale(self) -> float | None:
        return self.config.attention_multiplier

    def embedded(self, f: F, input_ids: Value) -> Value:
        return times(super().embedded(f, input_ids), self.config.embedding_multiplier)

    def layer(self, f: F, x: Value, attend: Attend) -> Value:
        share = self.config.residual_multiplier
        x = x + times(attend(self.norm(f, "input_norm", x)), share)
        y = f.call("mlp", self.mlp)(self.norm(f, "mlp_norm", x))
        return x + times(y, share)

    def words(self, f: F, x: Value) -> Value:
        y, scale = super().words(f, x), self.config.logits_scaling
        return y if scale == 1 else y / scale


def times(x: Value, factor: float) -> Value:
    """x multiplied, where that changes it."""
    return x if factor == 1 else x * factor


class Olmo2(Llama):
    """Branches are normalised at their ends, all heads of queries and keys together."""

    qk_norm = "together"

    @property
    def config(self) -> Olmo2Config:
        return self.model.config  # type: ignore[no-any-return]

    def layer(self, f: F, x: Value, attend: Attend) -> Value:
        x = x + self.norm(f, "attention_norm", attend(x))
        return x + self.norm(f, "mlp_norm", f.call("mlp", self.mlp)(x))


class Starcoder2(Llama):
    @property
    def config(self) -> Starcoder2Config:
        return self.model.config  # type: ignore[no-any-return]

    def norm(self, f: F, name: str, x: Value) -> Value:
        return f.layer_norm(name, x, eps=self.config.norm_epsilon)

    def mlp(self, f: F, x: Value) -> Value:
        use_bias = self.config.use_bias
        y = f.linear("up", x, self.b.hidden, use_bias=use_bias)
        y = activation(f, self.config.act, y)
        return f.linear("down", y, self.b.width, use_bias=use_bias)


def _family(
    model_type: str,
    name: str,
    config: type[LlamaConfig],
    decoder: type[Llama],
    without: Sequence[str],
    modules: Mapping[str, str] | None = None,
) -> Family:
    return Family(
        model_type=model_type,
        config=config,
        heads={f"{name}{end}": h for end, h in HEADS.items() if h not in without},
        write=lambda b, model: decoder(b, model).write(),
        modules={**MODULES, **(modules or {})},
        prefix="model.",
        top=TOP,
        ignored=("layers.*.self_attn.rotary_emb.inv_freq",),
    )


FAMILIES = {
    "granite": _family(
        "granite", "Granite", GraniteConfig, Granite,
        ("sequence_labels", "token_labels", "question_answering"),
    ),
    "olmo2": _family(
        "olmo2", "Olmo2", Olmo2Config, Olmo2, ("token_labels", "question_answering"),
        {
            "layers.{i}.attention_norm": "layers.{i}.post_attention_layernorm",
            "layers.{i}.mlp_norm": "layers.{i}.post_feedforward_layernorm",
        },
    ),
    "starcoder2": _family(
        "starcoder2", "Starcoder2", Starcoder2Config, Starcoder2, ("question_answering",),
        {"layers.{i}.mlp.up": "layers.{i}.mlp.c_fc",
         "layers.{i}.mlp.down": "layers.{i}.mlp.c_proj"},
    ),
}  # fmt: skip
