"""Gemma 1, 2 and 3 (text). Gemma Team, arXiv:2403.08295, 2408.00118, 2503.19786."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blox.mapping.rules import Rule

from ..family.family import Family
from ..family.settings import choice, flag, nested, number, only, size, unused
from ..parts.activations import ACTIVATIONS
from ..parts.decoders import HEADS, TOP, Attend, Outputs
from ..parts.rotary import EXPECTED, arguments, is_rope
from ..parts.windows import FULL, KINDS, SLIDING, LayerTypes
from .llama import MODULES, Llama, LlamaConfig

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value


@dataclass(frozen=True, kw_only=True)
class GemmaConfig(LlamaConfig):
    vocab_size: int = size(256000, "vocab")
    hidden_size: int = size(3072, "width")
    intermediate_size: int = size(24576, "hidden")
    num_hidden_layers: int = size(28, "depth", high=4096)
    num_attention_heads: int = size(16, "heads")
    num_key_value_heads: int | None = size(16, "kv_heads")
    head_dim: int | None = size(256, "head_dim")
    max_position_embeddings: int = size(8192, "context")
    hidden_act: str = choice("gelu_pytorch_tanh", *ACTIVATIONS)
    hidden_activation: str | None = choice(None, None, *ACTIVATIONS)
    tie_word_embeddings: bool = flag(True)
    mlp_bias: bool = only(False)
    use_bidirectional_attention: bool | None = only(None, False)
    cache_implementation: str | None = unused()

    @property
    def act(self) -> str:
        return self.hidden_activation or self.hidden_act


@dataclass(frozen=True, kw_only=True)
class Gemma2Config(GemmaConfig, LayerTypes):
    hidden_size: int = size(2304, "width")
    intermediate_size: int = size(9216, "hidden")
    num_hidden_layers: int = size(26, "depth", high=4096)
    num_attention_heads: int = size(8, "heads")
    num_key_value_heads: int | None = size(4, "kv_heads")
    hidden_activation: str | None = choice("gelu_pytorch_tanh", *ACTIVATIONS)
    query_pre_attn_scalar: float = number(256, 1e-6)
    sliding_window: int | None = size(4096, null=True)
    final_logit_softcapping: float | None = number(30.0, 1e-6, null=True)
    attn_logit_softcapping: float | None = number(50.0, 1e-6, null=True)

    @property
    def period(self) -> int:
        """The last of so many layers attends to everything."""
        return 2

    @property
    def windows(self) -> list[int | None]:
        count, period = self.num_hidden_layers, self.period
        return self.windows_of(
            count, self.sliding_window, lambda i: (i + 1) % period > 0
        )

    def faults(self) -> Iterator[tuple[str, str]]:
        yield from super().faults()
        yield from self.layer_faults(self.num_hidden_layers)


def _are_ropes(value: Any) -> bool:
    return value is None or (
        isinstance(value, Mapping)
        and all(kind in KINDS and is_rope(rope) for kind, rope in value.items())
    )


@dataclass(frozen=True, kw_only=True)
class Gemma3Config(Gemma2Config):
    vocab_size: int = size(262208, "vocab")
    max_position_embeddings: int = size(131072, "context")
    final_logit_softcapping: float | None = number(None, 1e-6, null=True)
    attn_logit_softcapping: float | None = only(None)
    sliding_window_pattern: int | None = size(None)
    _sliding_window_pattern: int = size(6)
    rope_parameters: dict[str, Any] | None = nested(
        None, f"for each of {', '.join(KINDS)} a {EXPECTED}", _are_ropes
    )
    rope_theta: float = number(1e6, 1e-3, 1e12)
    rope_local_base_freq: float = number(1e4, 1e-3, 1e12)

    @property
    def period(self) -> int:
        return self.sliding_window_pattern or self._sliding_window_pattern

    def rope(self, context: int, head_dim: int) -> dict[str, Any]:
        own = (self.rope_parameters or {}).get(FULL) or {}
        given = {**own, **(self.rope_scaling or {})}
        return arguments(given, context, head_dim, self.rope_theta, 1.0)

    def near_rope(self, context: int, head_dim: int) -> dict[str, Any]:
        """Those of layers with a window."""
        given = (self.rope_parameters or {}).get(SLIDING) or {}
        return arguments(given, context, head_dim, self.rope_local_base_freq, 1.0)


class Gemma(Llama):
    @property
    def config(self) -> GemmaConfig:
        return self.model.config  # type: ignore[no-any-return]

    def embedded(self, f: F, input_ids: Value) -> Value:
        return super().embedded(f, input_ids) * math.sqrt(self.config.hidden_size)

    def norm(self, f: F, name: str, x: Value) -> Value:
        return f.call(name, norm)(x, eps=self.config.rms_norm_eps)


def norm(f: F, x: Value, *, eps: float) -> Value:
    """A scale that is 1 more than its parameter."""
    scale = 1 + f.param("weight", [x.features], init={"value": {"name": "zeros"}})
    return f.rms_norm("norm", x, scale=scale, eps=eps)


class Gemma2(Gemma):
    @property
    def config(self) -> Gemma2Config:
        return self.model.config  # type: ignore[no-any-return]

    @property
    def scale(self) -> float | None:
        return float(self.config.query_pre_attn_scalar**-0.5)

    @property
    def softcap(self) -> float | None:  # type: ignore[override]
        return self.config.attn_logit_softcapping

    def layer(self, f: F, x: Value, attend: Attend) -> Value:
        y = attend(self.norm(f, "input_norm", x))
        x = x + self.norm(f, "attention_norm", y)
        y = f.call("mlp", self.mlp)(self.norm(f, "mlp_input_norm", x))
        return x + self.norm(f, "mlp_norm", y)

    def words(self, f: F, x: Value) -> Value:
        y, cap = super().words(f, x), self.config.final_logit_softcapping
        return y if cap is None else cap * f.tanh(y / cap, name="capped")


class Gemma3(Gemma2):
    qk_norm = "each"

    @property
    def config(self) -> Gemma3Config:
        return self.model.config  # type: ignore[no-any-return]

    def tables(self, f: F, positions: Value) -> Outputs:
        config, sizes = self.config, (self.b.context, self.b.head_dim)
        if not self.mixed:
            rope = config.rope if self.windows[0] is None else config.near_rope
            return self.table(f, positions, rope(*sizes))
        near = self.table(f, positions, config.near_rope(*sizes))
        far = self.table(f, positions, config.rope(*sizes))
        return far | {f"near_{name}": table for name, table in near.items()}


NORMS = {
    "norm": "norm",
    "layers.{i}.input_norm": "layers.{i}.input_layernorm",
    "layers.{i}.mlp_norm": "layers.{i}.post_attention_layernorm",
}
NORMS_2 = {
    **NORMS,
    "layers.{i}.attention_norm": "layers.{i}.post_attention_layernorm",
    "layers.{i}.mlp_input_norm": "layers.{i}.pre_feedforward_layernorm",
    "layers.{i}.mlp_norm": "layers.{i}.post_feedforward_layernorm",
    "layers.{i}.attention.query_norm": "layers.{i}.self_attn.q_norm",
    "layers.{i}.attention.key_norm": "layers.{i}.self_attn.k_norm",
}


def _family(
    model_type: str,
    config: type[GemmaConfig],
    decoder: type[Gemma],
    norms: Mapping[str, str],
    heads: Mapping[str, str],
) -> Family:
    return Family(
        model_type=model_type,
        config=config,
        heads=heads,
        write=lambda b, model: decoder(b, model).write(),
        modules={
            ours: theirs for ours, theirs in MODULES.items() if "norm" not in ours
        },
        rules=lambda _: [
            Rule(f"{ours}.weight", f"{theirs}.weight") for ours, theirs in norms.items()
        ],
        prefix="model.",
        top=TOP,
        ignored=("layers.*.self_attn.rotary_emb.inv_freq",),
    )


def _heads(name: str) -> dict[str, str]:
    return {f"{name}{end}": h for end, h in HEADS.items() if h != "question_answering"}


FAMILIES = {
    "gemma": _family("gemma", GemmaConfig, Gemma, NORMS, _heads("Gemma")),
    "gemma2": _family("gemma2", Gemma2Config, Gemma2, NORMS_2, _heads("Gemma2")),
    "gemma3_text": _family(
        "gemma3_text",
        Gemma3Config,
        Gemma3,
        NORMS_2,
        {
            "Gemma3TextModel": "",
            "Gemma3ForCausalLM": "causal_lm",
            "Gemma3TextForSequenceClassification": "sequence_labels",
        },
    ),
}
