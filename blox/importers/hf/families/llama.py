"""Llama and its kin: Mistral, Qwen2, Qwen3. Touvron et al., arXiv:2302.13971."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..family.family import Family
from ..family.settings import choice, flag, number, rate, size, unused
from ..parts.activations import ACTIVATIONS, gated
from ..parts.decoders import Attend, Decoder, Given, Maps, Outputs
from ..parts.rotary import RotarySettings, turned
from ..parts.windows import LayerTypes

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
    def act(self) -> str:
        """What stands between the maps of an MLP."""
        return self.hidden_act

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


@dataclass(frozen=True, kw_only=True)
class Qwen2Config(LlamaConfig, LayerTypes):
    vocab_size: int = size(151936, "vocab")
    intermediate_size: int = size(22016, "hidden")
    num_key_value_heads: int | None = size(32, "kv_heads")
    max_position_embeddings: int = size(32768, "context")
    use_sliding_window: bool = flag(False)
    sliding_window: int | None = size(4096, null=True)
    max_window_layers: int = size(28, low=0)

    @property
    def windows(self) -> list[int | None]:
        window = self.sliding_window if self.use_sliding_window else None
        first = self.max_window_layers
        return self.windows_of(self.num_hidden_layers, window, lambda i: i >= first)

    @property
    def biases(self) -> tuple[bool, bool]:
        return True, False

    def faults(self) -> Iterator[tuple[str, str]]:
        yield from super().faults()
        yield from self.layer_faults(self.num_hidden_layers)


@dataclass(frozen=True, kw_only=True)
class Qwen3Config(Qwen2Config):
    head_dim: int | None = size(128, "head_dim")

    @property
    def biases(self) -> tuple[bool, bool]:
        return self.attention_bias, self.attention_bias


class Llama(Decoder):
    qk_norm = ""

    @property
    def config(self) -> LlamaConfig:
        return self.model.config  # type: ignore[no-any-return]

    """Whether queries and keys have a norm: of `each` head, or of all `together`."""

    @property
    def heads(self) -> tuple[int, int]:
        return self.b.kv_heads, self.b.head_dim

    @property
    def windows(self) -> list[int | None]:
        return self.config.windows

    def start(self, f: F, input_ids: Value, positions: Value) -> tuple[Value, Outputs]:
        return self.embedded(f, input_ids), self.tables(f, positions)

    def embedded(self, f: F, input_ids: Value) -> Value:
        return f.embed("embed_tokens", input_ids, self.b.vocab, self.b.width)

    def tables(self, f: F, positions: Value) -> Outputs:
        """Those of rotary positions."""
        rope = self.config.rope(self.b.context, self.b.head_dim)
        return self.table(f, positions, rope)

    def table(self, f: F, positions: Value, rope: dict[str, Any]) -> Outputs:
        if rope["dim"] == self.config.head_dim:
            rope["dim"] = self.b.head_dim
        cos, sin = f.rope_table(positions, **rope)
        return {"cos": cos, "sin": sin}

    def norm(self, f: F, name: str, x: Value) -> Value:
        return f.rms_norm(name, x, eps=self.config.rms_norm_eps)

    def layer(self, f: F, x: Value, attend: Attend) -> Value:
        x = x + attend(self.norm(f, "input_norm", x))
        return x + f.call("mlp", self.mlp)(self.norm(f, "mlp_norm", x))

    def mlp(self, f: F, x: Value) -> Value:
        config = self.config
        return gated(f, x, self.b.hidden, act=config.act, use_bias=config.mlp_bias)

    def maps(self, f: F, x: Value, given: Given) -> Maps:
        cos, sin = given["cos"], given["sin"]
        size, use_bias = self.b.head_dim, self.config.biases[0]

        def split(name: str, heads: int) -> Value:
            y = f.linear(name, x, heads * size, use_bias=use_bias)
            kind = "" if name == "value" else self.qk_norm
            if kind == "together":
                y = self.norm(f, f"{name}_norm", y)
            y = f.reshape(y, ["...", heads, size], name=name[0])
            return self.norm(f, f"{name}_norm", y) if kind == "each" else y

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
        return self.norm(f, "norm", x)


class Qwen3(Llama):
    qk_norm = "each"


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
        prefixes={} if model_type == "mistral" else {answers: "transformer."},
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
