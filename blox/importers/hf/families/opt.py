"""OPT. Zhang et al., arXiv:2205.01068."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..family.family import Family
from ..family.settings import Settings, choice, flag, rate, size, unused
from ..parts.activations import ACTIVATIONS, activation
from ..parts.decoders import HEADS, TOP, Attend, Decoder, Outputs

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value

OFFSET = 2
"""Rows of the table of positions that no token has."""


@dataclass(frozen=True, kw_only=True)
class OPTConfig(Settings):
    vocab_size: int = size(50272, "vocab")
    hidden_size: int = size(768, "width")
    num_hidden_layers: int = size(12, "depth", high=4096)
    num_attention_heads: int = size(12, "heads")
    ffn_dim: int = size(3072, "hidden")
    max_position_embeddings: int = size(2048, "context")
    word_embed_proj_dim: int | None = size(None, "word_width")
    do_layer_norm_before: bool = flag(True)
    _remove_final_layer_norm: bool = flag(False)
    layer_norm_elementwise_affine: bool = flag(True)
    enable_bias: bool = flag(True)
    activation_function: str = choice("relu", *ACTIVATIONS)
    tie_word_embeddings: bool = flag(True)
    dropout: float = rate(0.1)
    attention_dropout: float = rate(0.0)
    activation_dropout: float = rate(0.0)
    layerdrop: float = rate(0.0)
    init_std: float = unused()

    def __post_init__(self) -> None:
        if self.word_embed_proj_dim is None:
            object.__setattr__(self, "word_embed_proj_dim", self.hidden_size)

    def faults(self) -> Iterator[tuple[str, str]]:
        width, heads = self.hidden_size, self.num_attention_heads
        if width % heads:
            message = f"expected a multiple of the {heads} heads, found {width}"
            yield "hidden_size", message

    @property
    def final_norm(self) -> bool:
        return self.do_layer_norm_before and not self._remove_final_layer_norm

    @property
    def projected(self) -> bool:
        """Words have another width than hidden states."""
        return self.word_embed_proj_dim != self.hidden_size


class OPT(Decoder):
    @property
    def config(self) -> OPTConfig:
        return self.model.config  # type: ignore[no-any-return]

    @property
    def use_bias(self) -> bool:  # type: ignore[override]
        return self.config.enable_bias

    def positions(self, f: F, present: Value, at: Value) -> Value:
        """Tokens are counted without padding."""
        counted = f.subtract(f.cumsum(present, axis=-1), 1, name="counted")
        return f.take(counted, at, axis=-1)

    def start(self, f: F, input_ids: Value, positions: Value) -> tuple[Value, Outputs]:
        b = self.b
        x = f.embed("embed_tokens", input_ids, b.vocab, b.word_width)
        if self.config.projected:
            x = f.linear("project_in", x, b.width, use_bias=False)
        rows = f.add(positions, OFFSET, name="rows")
        return x + f.embed("embed_positions", rows, b.context + OFFSET, b.width), {}

    def norm(self, f: F, name: str, x: Value) -> Value:
        learned = self.config.layer_norm_elementwise_affine
        return f.layer_norm(name, x, use_scale=learned, use_bias=learned)

    def layer(self, f: F, x: Value, attend: Attend) -> Value:
        if self.config.do_layer_norm_before:
            x = x + attend(self.norm(f, "attention_norm", x))
            return x + self.mlp(f, self.norm(f, "mlp_norm", x))
        x = self.norm(f, "attention_norm", x + attend(x))
        return self.norm(f, "mlp_norm", x + self.mlp(f, x))

    def mlp(self, f: F, x: Value) -> Value:
        y = f.linear("up", x, self.b.hidden, use_bias=self.use_bias)
        y = activation(f, self.config.activation_function, y)
        return f.linear("down", y, self.b.width, use_bias=self.use_bias)

    def end(self, f: F, x: Value) -> Value:
        if self.config.final_norm:
            x = self.norm(f, "final_norm", x)
        if self.config.projected:
            x = f.linear("project_out", x, self.b.word_width, use_bias=False)
        return x


MODULES = {
    "embed_tokens": "decoder.embed_tokens",
    "embed_positions": "decoder.embed_positions",
    "project_in": "decoder.project_in",
    "layers.{i}.attention_norm": "decoder.layers.{i}.self_attn_layer_norm",
    "layers.{i}.attention.query": "decoder.layers.{i}.self_attn.q_proj",
    "layers.{i}.attention.key": "decoder.layers.{i}.self_attn.k_proj",
    "layers.{i}.attention.value": "decoder.layers.{i}.self_attn.v_proj",
    "layers.{i}.attention.output": "decoder.layers.{i}.self_attn.out_proj",
    "layers.{i}.mlp_norm": "decoder.layers.{i}.final_layer_norm",
    "layers.{i}.up": "decoder.layers.{i}.fc1",
    "layers.{i}.down": "decoder.layers.{i}.fc2",
    "final_norm": "decoder.final_layer_norm",
    "project_out": "decoder.project_out",
    "lm_head": "lm_head",
    "score": "score",
    "qa_outputs": "qa_outputs",
}

FAMILIES = {
    "opt": Family(
        model_type="opt",
        config=OPTConfig,
        heads={f"OPT{end}": head for end, head in HEADS.items() if head != "token_labels"},
        write=lambda b, model: OPT(b, model).write(),
        modules=MODULES,
        prefix="model.",
        top=TOP,
    )
}  # fmt: skip
