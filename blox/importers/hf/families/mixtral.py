"""Mixtral, Qwen2-MoE and Qwen3-MoE: Llama, whose MLPs are mixtures of experts.

Jiang et al., arXiv:2401.04088; Qwen Team, arXiv:2407.10671, 2505.09388.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blox.mapping.rules import AnyRule

from ..family.family import Family
from ..family.settings import flag, nested, number, only, rate, size, unused
from ..parts.activations import gated
from ..parts.decoders import HEADS, TOP
from ..parts.experts import mixture, of_experts
from .llama import MODULES, Llama, LlamaConfig, MistralConfig, Qwen2Config

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value


@dataclass(frozen=True, kw_only=True)
class MoeConfig(LlamaConfig):
    num_local_experts: int | None = size(None, "experts")
    num_experts: int | None = size(None)
    num_experts_per_tok: int = size(2, "top_k")
    norm_topk_prob: bool = flag(False)
    mlp_bias: bool = only(False)
    # What is added to the loss in training.
    output_router_logits: bool = unused()
    router_aux_loss_coef: float = unused()
    router_jitter_noise: float = rate(0.0)

    default_experts = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_local_experts is None:
            count = self.num_experts or self.default_experts
            object.__setattr__(self, "num_local_experts", count)

    def faults(self) -> Iterator[tuple[str, str]]:
        yield from super().faults()
        count, chosen = self.num_local_experts or 0, self.num_experts_per_tok
        if chosen > count:
            message = f"expected at most {count}, the experts, found {chosen}"
            yield "num_experts_per_tok", message


@dataclass(frozen=True, kw_only=True)
class MixtralConfig(MoeConfig, MistralConfig):
    rms_norm_eps: float = number(1e-5, 1e-30, 1.0)
    rope_theta: float = number(1e6, 1e-3, 1e12)
    sliding_window: int | None = size(None, null=True)
    attention_bias: bool = only(False)
    norm_topk_prob: bool = only(True)


@dataclass(frozen=True, kw_only=True)
class Qwen2MoeConfig(MoeConfig, Qwen2Config):
    hidden_size: int = size(2048, "width")
    intermediate_size: int = size(5632)  # of layers without experts
    num_hidden_layers: int = size(24, "depth", high=4096)
    num_attention_heads: int = size(16, "heads")
    num_key_value_heads: int | None = size(16, "kv_heads")
    num_experts_per_tok: int = size(4, "top_k")
    moe_intermediate_size: int = size(1408, "hidden")
    shared_expert_intermediate_size: int = size(5632, "shared_hidden")
    sliding_window: int | None = size(4096, low=0, null=True)
    qkv_bias: bool = flag(True)
    decoder_sparse_step: int = only(1)
    mlp_only_layers: list[int] | None = nested(None, "[]", lambda v: not v)

    default_experts = 60

    @property
    def biases(self) -> tuple[bool, bool]:
        return self.qkv_bias, False

    @property
    def windows(self) -> list[int | None]:
        window = self.sliding_window or None if self.use_sliding_window else None
        last = self.max_window_layers
        return self.windows_of(
            self.num_hidden_layers, window, lambda i: i % 2 == 0 and i < last
        )


@dataclass(frozen=True, kw_only=True)
class Qwen3MoeConfig(MoeConfig):
    vocab_size: int = size(151936, "vocab")
    hidden_size: int = size(2048, "width")
    intermediate_size: int = size(6144)  # of layers without experts
    num_hidden_layers: int = size(24, "depth", high=4096)
    num_key_value_heads: int | None = size(4, "kv_heads")
    max_position_embeddings: int = size(32768, "context")
    num_experts_per_tok: int = size(8, "top_k")
    moe_intermediate_size: int = size(768, "hidden")
    use_sliding_window: bool = flag(False)
    sliding_window: int | None = size(4096, null=True)
    max_window_layers: int = unused()
    decoder_sparse_step: int = only(1)
    mlp_only_layers: list[int] | None = nested(None, "[]", lambda v: not v)

    default_experts = 128

    @property
    def windows(self) -> list[int | None]:
        window = self.sliding_window if self.use_sliding_window else None
        return [window] * self.num_hidden_layers


class Mixtral(Llama):
    @property
    def config(self) -> MoeConfig:
        return self.model.config  # type: ignore[no-any-return]

    def mlp(self, f: F, x: Value) -> Value:
        return mixture(
            f,
            x,
            experts=self.b.experts,
            top_k=self.b.top_k,
            hidden=self.b.hidden,
            act=self.config.act,
            normalize=self.config.norm_topk_prob,
        )


class Qwen2Moe(Mixtral):
    def mlp(self, f: F, x: Value) -> Value:
        share = f.sigmoid(f.linear("share", x, 1, use_bias=False))
        return super().mlp(f, x) + share * f.call("shared", self.shared)(x)

    def shared(self, f: F, x: Value) -> Value:
        return gated(f, x, self.b.shared_hidden, act=self.config.act)


class Qwen3Moe(Mixtral):
    qk_norm = "each"


def _family(
    model_type: str,
    name: str,
    config: type[MoeConfig],
    decoder: type[Mixtral],
    modules: Mapping[str, str],
    experts: Sequence[AnyRule],
) -> Family:
    answers = f"{name}ForQuestionAnswering"
    attention = {ours: m for ours, m in MODULES.items() if ".mlp." not in ours}
    return Family(
        model_type=model_type,
        config=config,
        heads={f"{name}{end}": head for end, head in HEADS.items()},
        write=lambda b, model: decoder(b, model).write(),
        modules={**attention, **modules},
        rules=lambda _: list(experts),
        prefix="model.",
        prefixes={answers: "transformer."} if decoder.qk_norm else {},
        top=TOP,
        ignored=("layers.*.self_attn.rotary_emb.inv_freq",),
    )


ROUTER = {"layers.{i}.mlp.router": "layers.{i}.mlp.gate"}
SHARED = {
    "layers.{i}.mlp.shared.gate": "layers.{i}.mlp.shared_expert.gate_proj",
    "layers.{i}.mlp.shared.up": "layers.{i}.mlp.shared_expert.up_proj",
    "layers.{i}.mlp.shared.down": "layers.{i}.mlp.shared_expert.down_proj",
    "layers.{i}.mlp.share": "layers.{i}.mlp.shared_expert_gate",
}
EXPERTS = of_experts("layers.{i}.mlp.experts", "gate_proj", "up_proj", "down_proj")

FAMILIES = {
    "mixtral": _family(
        "mixtral", "Mixtral", MixtralConfig, Mixtral,
        {"layers.{i}.mlp.router": "layers.{i}.block_sparse_moe.gate"},
        of_experts("layers.{i}.block_sparse_moe.experts", "w1", "w3", "w2"),
    ),
    "qwen2_moe": _family(
        "qwen2_moe", "Qwen2Moe", Qwen2MoeConfig, Qwen2Moe, {**ROUTER, **SHARED}, EXPERTS
    ),
    "qwen3_moe": _family(
        "qwen3_moe", "Qwen3Moe", Qwen3MoeConfig, Qwen3Moe, ROUTER, EXPERTS
    ),
}  # fmt: skip
