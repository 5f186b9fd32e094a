"""BLOOM. Scao et al., arXiv:2211.05100. Positions are biases by distance (ALiBi)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..family.family import Family
from ..family.settings import Settings, flag, number, rate, size, unused
from ..parts.activations import activation
from ..parts.decoders import HEADS, TOP, Attend, Decoder, Outputs
from ..parts.fused import of_each_head

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value


@dataclass(frozen=True, kw_only=True)
class BloomConfig(Settings):
    vocab_size: int = size(250880, "vocab")
    hidden_size: int | None = size(None, "width")
    n_embed: int | None = size(None)
    n_layer: int | None = size(None, "depth", high=4096)
    num_hidden_layers: int | None = size(None, high=4096)
    n_head: int | None = size(None, "heads")
    num_attention_heads: int | None = size(None)
    seq_length: int = size(2048, "context")
    layer_norm_epsilon: float = number(1e-5, 1e-30, 1.0)
    tie_word_embeddings: bool = flag(True)
    apply_residual_connection_post_layernorm: bool = flag(False)
    hidden_dropout: float = rate(0.0)
    attention_dropout: float = rate(0.0)
    # How the sums of maps were shared out over machines, and whether to do so again.
    pretraining_tp: int = unused(1)
    slow_but_exact: bool = unused()
    masked_softmax_fusion: bool = unused()
    skip_bias_add: bool = unused()
    skip_bias_add_qkv: bool = unused()
    bias_dropout_fusion: bool = unused()
    attention_softmax_in_fp32: bool = unused()
    offset_alibi: int = unused()
    unk_token_id: int = unused()

    def __post_init__(self) -> None:
        defaults = {"hidden_size": ("n_embed", 64), "n_layer": ("num_hidden_layers", 2),
                    "n_head": ("num_attention_heads", 8)}  # fmt: skip
        for name, (other, default) in defaults.items():
            given = getattr(self, name), getattr(self, other), default
            value = next(value for value in given if value is not None)
            object.__setattr__(self, name, value)

    def faults(self) -> Iterator[tuple[str, str]]:
        width, heads = self.hidden_size or 0, self.n_head or 1
        if width % heads:
            message = f"expected a multiple of the {heads} heads, found {width}"
            yield "hidden_size", message


class Bloom(Decoder):
    layers = "h"
    embedding = "word_embeddings"
    token_head = "classifier"
    positioned = False

    @property
    def config(self) -> BloomConfig:
        return self.model.config  # type: ignore[no-any-return]

    def start(self, f: F, input_ids: Value, positions: Value) -> tuple[Value, Outputs]:
        x = f.embed("word_embeddings", input_ids, self.b.vocab, self.b.width)
        return self.norm(f, "embedding_norm", x), {}

    def norm(self, f: F, name: str, x: Value) -> Value:
        return f.layer_norm(name, x, eps=self.config.layer_norm_epsilon)

    def bias(self, f: F, at: Value, places: Value) -> Value:
        return f.alibi(at, places, self.b.heads, name="bias")

    def layer(self, f: F, x: Value, attend: Attend) -> Value:
        normed = self.config.apply_residual_connection_post_layernorm
        y = self.norm(f, "input_norm", x)
        x = (y if normed else x) + attend(y)
        y = self.norm(f, "mlp_norm", x)
        h = activation(f, "gelu_new", f.linear("up", y, 4 * self.b.width))
        return (y if normed else x) + f.linear("down", h, self.b.width)

    def end(self, f: F, x: Value) -> Value:
        return self.norm(f, "ln_f", x)


MODULES = {
    "word_embeddings": "word_embeddings",
    "embedding_norm": "word_embeddings_layernorm",
    "h.{i}.input_norm": "h.{i}.input_layernorm",
    "h.{i}.mlp_norm": "h.{i}.post_attention_layernorm",
    "h.{i}.attention.output": "h.{i}.self_attention.dense",
    "h.{i}.up": "h.{i}.mlp.dense_h_to_4h",
    "h.{i}.down": "h.{i}.mlp.dense_4h_to_h",
    "ln_f": "ln_f",
    "lm_head": "lm_head",
    "score": "score",
    "classifier": "classifier",
    "qa_outputs": "qa_outputs",
}

FAMILIES = {
    "bloom": Family(
        model_type="bloom",
        config=BloomConfig,
        heads={f"Bloom{end}": head for end, head in HEADS.items()},
        write=lambda b, model: Bloom(b, model).write(),
        modules=MODULES,
        rules=lambda model: [
            *of_each_head(
                "h.{i}.self_attention.query_key_value",
                model.config.n_head,
                ours="h.{i}.attention",
            )
        ],
        prefix="transformer.",
        top=TOP,
    )
}
