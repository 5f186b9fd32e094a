"""Settings of ModernBERT."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..family.settings import (
    Settings,
    choice,
    flag,
    nested,
    number,
    only,
    rate,
    size,
    unused,
)
from ..parts.activations import ACTIVATIONS
from ..parts.rotary import EXPECTED, RotarySettings, is_rope

KINDS = ("full_attention", "sliding_attention")


def _are_kinds(given: Any) -> bool:
    return given is None or (isinstance(given, list) and all(k in KINDS for k in given))


def _are_ropes(given: Any) -> bool:
    if not isinstance(given, dict) or not given.keys() <= {*KINDS}:
        return given is None
    return all(is_rope(rope) for rope in given.values())


@dataclass(frozen=True, kw_only=True)
class ModernBertConfig(Settings):
    vocab_size: int = size(50368, "vocab")
    hidden_size: int = size(768, "width")
    intermediate_size: int = size(1152, "hidden")
    num_hidden_layers: int = size(22, "depth", high=4096)
    num_attention_heads: int = size(12, "heads")
    max_position_embeddings: int = size(8192, "context")
    hidden_activation: str = choice("gelu", *ACTIVATIONS)
    norm_eps: float = number(1e-5, 1e-30, 1.0)
    norm_bias: bool = flag(False)
    attention_bias: bool = flag(False)
    mlp_bias: bool = flag(False)
    decoder_bias: bool = flag(True)
    layer_types: list[str] | None = nested(
        None, f"a list of {', '.join(KINDS)}", _are_kinds
    )
    global_attn_every_n_layers: int = size(3)
    local_attention: int = size(128)
    rope_parameters: dict[str, Any] | None = nested(
        None, f"for each kind, {EXPECTED}", _are_ropes
    )
    rope_scaling: dict[str, Any] | None = nested(None, EXPECTED, is_rope)
    global_rope_theta: float = number(160000.0, 1e-3, 1e12)
    local_rope_theta: float = number(10000.0, 1e-3, 1e12)
    classifier_pooling: str = choice("cls", "cls", "mean")
    classifier_bias: bool = flag(False)
    classifier_activation: str = choice("gelu", *ACTIVATIONS)
    tie_word_embeddings: bool = only(True)
    position_embedding_type: str = unused()
    attention_dropout: float = rate(0.0)
    embedding_dropout: float = rate(0.0)
    mlp_dropout: float = rate(0.0)
    classifier_dropout: float = rate(0.0)
    initializer_cutoff_factor: float = unused()
    cls_token_id: int = unused()
    deterministic_flash_attn: bool = unused()
    sparse_prediction: bool = unused()
    sparse_pred_ignore_index: int = unused()
    reference_compile: bool = unused()
    repad_logits_with_grad: bool = unused()
    layer_norm_eps: float = unused()

    @property
    def kinds(self) -> list[str]:
        """What each layer attends to."""
        every = self.global_attn_every_n_layers
        count = range(self.num_hidden_layers)
        return self.layer_types or [KINDS[i % every > 0] for i in count]

    def rope(self, kind: str, context: int, head_dim: int) -> dict[str, Any]:
        """The arguments of `rope_table` for layers of a kind."""
        theta = self.local_rope_theta if kind == KINDS[1] else self.global_rope_theta
        given = (self.rope_parameters or {}).get(kind)
        found = RotarySettings(
            rope_parameters=given, rope_scaling=self.rope_scaling, rope_theta=theta
        )
        return found.rope(context, head_dim)

    def faults(self) -> Iterator[tuple[str, str]]:
        heads, count = self.num_attention_heads, self.num_hidden_layers
        if self.hidden_size % (2 * heads):
            message = f"expected a multiple of twice the {heads} heads"
            yield "hidden_size", f"{message}, found {self.hidden_size}"
        size = self.hidden_size // heads
        if any(self.rope(kind, 1, size)["dim"] != size for kind in KINDS):
            yield (
                "rope_parameters",
                "expected all features turned, found a part of them",
            )
        if len(self.kinds) != count:
            found = len(self.kinds)
            yield (
                "layer_types",
                f"expected one of each of {count} layers, found {found}",
            )
