"""GPT-2. Radford et al., 2019."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blox.mapping.layouts import Split
from blox.mapping.rules import AnyRule, Rule

from ..family.family import Family, Model
from ..family.settings import Settings, choice, flag, number, only, rate, size, unused
from ..parts.activations import ACTIVATIONS, activation
from ..parts.decoders import Attend, Decoder, Outputs

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value


@dataclass(frozen=True, kw_only=True)
class GPT2Config(Settings):
    vocab_size: int = size(50257, "vocab")
    n_embd: int = size(768, "width")
    n_layer: int = size(12, "depth", high=4096)
    n_head: int = size(12, "heads")
    n_inner: int | None = size(None, "hidden")
    n_positions: int = size(1024, "context")
    activation_function: str = choice("gelu_new", *ACTIVATIONS)
    layer_norm_epsilon: float = number(1e-5, 1e-30, 1.0)
    tie_word_embeddings: bool = flag(True)
    scale_attn_weights: bool = flag(True)
    scale_attn_by_inverse_layer_idx: bool = only(False)
    reorder_and_upcast_attn: bool = unused()
    n_ctx: int = unused()
    resid_pdrop: float = rate(0.1)
    embd_pdrop: float = rate(0.1)
    attn_pdrop: float = rate(0.1)
    classifier_dropout: float | None = unused()
    summary_type: str = unused()
    summary_use_proj: bool = unused()
    summary_activation: str | None = unused()
    summary_first_dropout: float = unused()
    summary_proj_to_labels: bool = unused()

    def __post_init__(self) -> None:
        if self.n_inner is None:
            object.__setattr__(self, "n_inner", 4 * self.n_embd)

    def faults(self) -> Iterator[tuple[str, str]]:
        if self.n_embd % self.n_head:
            message = (
                f"expected a multiple of the {self.n_head} heads, found {self.n_embd}"
            )
            yield "n_embd", message


class GPT2(Decoder):
    layers = "h"
    token_head = "classifier"
    embedding = "wte"

    @property
    def config(self) -> GPT2Config:
        return self.model.config  # type: ignore[no-any-return]

    @property
    def scale(self) -> float | None:
        return None if self.config.scale_attn_weights else 1.0

    def start(self, f: F, input_ids: Value, positions: Value) -> tuple[Value, Outputs]:
        x = f.embed("wte", input_ids, self.b.vocab, self.b.width)
        return x + f.embed("wpe", positions, self.b.context, self.b.width), {}

    def layer(self, f: F, x: Value, attend: Attend) -> Value:
        eps, act = self.config.layer_norm_epsilon, self.config.activation_function
        x = x + attend(f.layer_norm("ln_1", x, eps=eps))
        y = f.linear("up", f.layer_norm("ln_2", x, eps=eps), self.b.hidden)
        return x + f.linear("down", activation(f, act, y), x.features)

    def end(self, f: F, x: Value) -> Value:
        return f.layer_norm("ln_f", x, eps=self.config.layer_norm_epsilon)


MODULES = {
    "wte": "wte",
    "wpe": "wpe",
    "h.{i}.ln_1": "h.{i}.ln_1",
    "h.{i}.ln_2": "h.{i}.ln_2",
    "ln_f": "ln_f",
    "lm_head": "lm_head",
    "score": "score",
    "classifier": "classifier",
    "qa_outputs": "qa_outputs",
}


def rules(model: Model) -> list[AnyRule]:
    """Its kernels are (in, out), the three of attention in one."""
    parts = ("query", "key", "value")
    found: list[AnyRule] = []
    for ours, theirs in (("kernel", "weight"), ("bias", "bias")):
        three = tuple(f"h.{{i}}.attention.{part}.{ours}" for part in parts)
        split = Split(3, axis=-1)
        found += [
            Rule(three, f"h.{{i}}.attn.c_attn.{theirs}", split),
            Rule(f"h.{{i}}.attention.output.{ours}", f"h.{{i}}.attn.c_proj.{theirs}"),
            Rule(f"h.{{i}}.up.{ours}", f"h.{{i}}.mlp.c_fc.{theirs}"),
            Rule(f"h.{{i}}.down.{ours}", f"h.{{i}}.mlp.c_proj.{theirs}"),
        ]
    return found


FAMILIES = {
    "gpt2": Family(
        model_type="gpt2",
        config=GPT2Config,
        heads={
            "GPT2Model": "",
            "GPT2LMHeadModel": "causal_lm",
            "GPT2ForSequenceClassification": "sequence_labels",
            "GPT2ForTokenClassification": "token_labels",
            "GPT2ForQuestionAnswering": "question_answering",
        },
        write=lambda b, model: GPT2(b, model).write(),
        modules=MODULES,
        rules=rules,
        prefix="transformer.",
        top=("lm_head", "score", "classifier", "qa_outputs"),
        ignored=("h.*.attn.bias", "h.*.attn.masked_bias"),
    )
}
