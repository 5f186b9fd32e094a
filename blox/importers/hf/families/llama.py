"""Llama and its kin: Mistral, Qwen2, Qwen3. Touvron et al., arXiv:2302.13971."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..family.family import Family
from ..family.settings import choice, flag, nested, number, rate, size, unused
from ..parts.activations import ACTIVATIONS, activation
from ..parts.decoders import Attend, Decoder, Given, Maps, Outputs
from ..parts.rotary import RotarySettings, turned

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value


@dataclass(frozen=True, kw_only=True)
class LlamaConfig(RotarySettings):
    vocab_size: int = size(32000, "vocab")
    hidden_size: int = size(4096, "width")
    intermediate_size: int = size(11008, "hidden")
    num_hidden_layers: int = size(32, "depth", high=4096)
    num_attention_heads: int = size(32, "heads")
    num_key_value_heads: int | None = size(None, "kv_heads")
    head_dim: int | None = size(None, "head_dim")
    max_position_embeddings: int = size(2048, "context")
    hidden_act: str = choice("silu", *ACTIVATIONS)
    rms_norm_eps: float = number(1e-6, 1e-30, 1.0)
    attention_bias: bool = flag(False)
    mlp_bias: bool = flag(False)
    tie_word_embeddings: bool = flag(False)
    attention_dropout: float = rate(0.0)
    pretraining_tp: int = unused(1)

    def __post_init__(self) -> None:
        if self.num_key_value_heads is None:
            object.__setattr__(self, "num_key_value_heads", self.num_attention_heads)
        if self.head_dim is None:
            size = max(1, self.hidden_size // self.num_attention_heads)
            object.__setattr__(self, "head_dim", size)

    @property
    def windows(self) -> list[int | None]:
        """How many tokens one attends to, in each layer."""
        return [None] * self.num_hidden_layers

    @property
    def biases(self) -> tuple[bool, bool]:
        """Of the maps into attention, and of the one out of it."""
        return self.attention_bias, self.attention_bias

    def faults(self) -> Iterator[tuple[str, str]]:
        heads, groups = self.num_attention_heads, self.num_key_value_heads
        if groups is None or heads % groups:
            message = f"expected a divisor of the {heads} heads, found {groups}"
            yield "num_key_value_heads", message
        yield from self.rope_faults(self.head_dim or 0)


@dataclass(frozen=True, kw_only=True)
class MistralConfig(LlamaConfig):
    intermediate_size: int = size(14336, "hidden")
    num_key_value_heads: int | None = size(8, "kv_heads")
    max_position_embeddings: int = size(4096 * 32, "context")
    sliding_window: int | None = size(4096, null=True)

    @property
    def windows(self) -> list[int | None]:
        return [self.sliding_window] * self.num_hidden_layers


_KINDS = ("full_attention", "sliding_attention")


def _are_kinds(value: object) -> bool:
    return value is None or (
        isinstance(value, list) and all(k in _KINDS for k in value)
    )


@dataclass(frozen=True, kw_only=True)
class Qwen2Config(LlamaConfig):
    vocab_size: int = size(151936, "vocab")
    intermediate_size: int = size(22016, "hidden")
    num_key_value_heads: int | None = size(32, "kv_heads")
    max_position_embeddings: int = size(32768, "context")
    use_sliding_window: bool = flag(False)
    sliding_window: int | None = size(4096, null=True)
    max_window_layers: int = size(28, low=0)
    layer_types: list[str] | None = nested(
        None, f"a list of {', '.join(_KINDS)}", _are_kinds
    )

    @property
    def windows(self) -> list[int | None]:
        count, window = self.num_hidden_layers, self.sliding_window
        if not self.use_sliding_window or window is None:
            return [None] * count
        kinds = self.layer_types or [
            _KINDS[i >= self.max_window_layers] for i in range(count)
        ]
        return [window if kind == _KINDS[1] else None for kind in kinds]

    @property
    def biases(self) -> tuple[bool, bool]:
        return True, False

    def faults(self) -> Iterator[tuple[str, str]]:
        yield from super().faults()
        count, kinds = self.num_hidden_layers, self.layer_types
        if kinds is not None and len(kinds) != count:
            yield (
                "layer_types",
                f"expected one of each of {count} layers, found {len(kinds)}",
            )


@dataclass(frozen=True, kw_only=True)
class Qwen3Config(Qwen2Config):
    head_dim: int | None = size(128, "head_dim")

    @property
    def biases(self) -> tuple[bool, bool]:
        return self.attention_bias, self.attention_bias


class Llama(Decoder):
    config: LlamaConfig
    qk_norm = False

    @property
    def heads(self) -> tuple[int, int]:
        return self.b.kv_heads, self.b.head_dim

    @property
    def windows(self) -> list[int | None]:
        return self.config.windows

    def start(self, f: F, input_ids: Value, positions: Value) -> tuple[Value, Outputs]:
        rope = self.config.rope(self.b.context, self.b.head_dim)
        if rope["dim"] == self.config.head_dim:
            rope["dim"] = self.b.head_dim
        cos, sin = f.rope_table(positions, **rope)
        return f.embed("embed_tokens", input_ids, self.b.vocab, self.b.width), {
            "cos": cos,
            "sin": sin,
        }

    def layer(self, f: F, x: Value, attend: Attend) -> Value:
        eps = self.config.rms_norm_eps
        x = x + attend(f.rms_norm("input_norm", x, eps=eps))
        y = f.rms_norm("mlp_norm", x, eps=eps)
        return x + f.call("mlp", self.mlp)(y)

    def mlp(self, f: F, x: Value) -> Value:
        hidden, use_bias = self.b.hidden, self.config.mlp_bias
        gate = activation(
            f, self.config.hidden_act, f.linear("gate", x, hidden, use_bias=use_bias)
        )
        y = gate * f.linear("up", x, hidden, use_bias=use_bias)
        return f.linear("down", y, self.b.width, use_bias=use_bias)

    def maps(self, f: F, x: Value, given: Given) -> Maps:
        cos, sin = given["cos"], given["sin"]
        size, use_bias = self.b.head_dim, self.config.biases[0]

        def split(name: str, heads: int) -> Value:
            y = f.linear(name, x, heads * size, use_bias=use_bias)
            y = f.reshape(y, ["...", heads, size], name=name[0])
            if not self.qk_norm or name == "value":
                return y
            return f.rms_norm(f"{name}_norm", y, eps=self.config.rms_norm_eps)

        query, key = split("query", self.b.heads), split("key", self.b.kv_heads)
        value = split("value", self.b.kv_heads)
        return Maps(
            turned(f, query, cos, sin, "q_rope"),
            turned(f, key, cos, sin, "k_rope"),
            value,
        )

    def merged(self, f: F, y: Value) -> Value:
        return f.linear(
            "output",
            f.flatten(y, start=-2, name="merged"),
            self.b.width,
            in_features=self.b.heads * self.b.head_dim,
            use_bias=self.config.biases[1],
        )

    def end(self, f: F, x: Value) -> Value:
        return f.rms_norm("norm", x, eps=self.config.rms_norm_eps)


class Qwen3(Llama):
    qk_norm = True


MODULES = {
    "embed_tokens": "embed_tokens",
    "layers.{i}.input_norm": "layers.{i}.input_layernorm",
    "layers.{i}.mlp_norm": "layers.{i}.post_attention_layernorm",
    "layers.{i}.attention.query": "layers.{i}.self_attn.q_proj",
    "layers.{i}.attention.key": "layers.{i}.self_attn.k_proj",
    "layers.{i}.attention.value": "layers.{i}.self_attn.v_proj",
    "layers.{i}.attention.output": "layers.{i}.self_attn.o_proj",
    "layers.{i}.attention.query_norm": "layers.{i}.self_attn.q_norm",
    "layers.{i}.attention.key_norm": "layers.{i}.self_attn.k_norm",
    "layers.{i}.mlp.gate": "layers.{i}.mlp.gate_proj",
    "layers.{i}.mlp.up": "layers.{i}.mlp.up_proj",
    "layers.{i}.mlp.down": "layers.{i}.mlp.down_proj",
    "norm": "norm",
    "lm_head": "lm_head",
    "score": "score",
    "qa_outputs": "qa_outputs",
}


def _family(
    model_type: str, name: str, config: type[LlamaConfig], decoder: type[Llama] = Llama
) -> Family:
    answers = f"{name}ForQuestionAnswering"
    return Family(
        model_type=model_type,
        config=config,
        heads={
            f"{name}Model": "",
            f"{name}ForCausalLM": "causal_lm",
            f"{name}ForSequenceClassification": "sequence_labels",
            f"{name}ForTokenClassification": "token_labels",
            answers: "question_answering",
        },
        write=lambda b, model: decoder(b, model).write(),
        modules=MODULES,
        prefix="model.",
        prefixes={answers: "transformer."} if model_type == "llama" else {},
        top=("lm_head", "score", "qa_outputs"),
        ignored=("layers.*.self_attn.rotary_emb.inv_freq",),
    )


FAMILIES = {
    family.model_type: family
    for family in (
        _family("llama", "Llama", LlamaConfig),
        _family("mistral", "Mistral", MistralConfig),
        _family("qwen2", "Qwen2", Qwen2Config),
        _family("qwen3", "Qwen3", Qwen3Config, Qwen3),
    )
}
