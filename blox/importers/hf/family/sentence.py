"""Sentence embeddings: pooling of the tokens, maps of the vector, its length.

Reimers and Gurevych, arXiv:1908.10084.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blox.mapping.layouts import Kernel
from blox.mapping.rules import AnyRule, Rule

from ..parts.functions import without

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.graph import GraphBuilder
    from blox.builder.values import Input, Value

SENTENCE = "sentence_embedding"
_TOKENS = ("input_ids", "attention_mask", "token_type_ids")
"""What a tokenizer gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """A map of the pooled vector, and an activation of `DENSE`."""

    features: int
    bias: bool = True
    act: str = "tanh"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceConfig:
    """The ways from token vectors to one vector; the last three are for the tokenizer.

    Attributes:
        pooling: some of `POOLING`, whose vectors are joined.
        dense: maps of that.
        normalize: to the length 1.
        max_seq_length: where texts are cut.
        do_lower_case: texts are.
        settings: of `config_sentence_transformers.json`, such as prompts.
    """

    pooling: Sequence[str] = ("mean",)
    dense: Sequence[Dense] = ()
    normalize: bool = False
    max_seq_length: int | None = None
    do_lower_case: bool = False
    settings: Mapping[str, Any] | None = None

    def rules(self) -> list[AnyRule]:
        """What the arrays of its maps are."""
        found: list[AnyRule] = []
        for i in range(len(self.dense)):
            ours, theirs = dense_name(i), dense_folder(i)
            found.append(Rule(f"{ours}.kernel", f"{theirs}.linear.weight", Kernel()))
            found.append(Rule(f"{ours}.bias", f"{theirs}.linear.bias"))
        return found


POOLING = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
"""The ways of `pool`."""
DENSE: dict[str, Callable[[F, Value], Value]] = {
    "Tanh": lambda f, x: f.tanh(x),
    "Identity": lambda f, x: x,
    "ReLU": lambda f, x: f.relu(x),
    "GELU": lambda f, x: f.gelu(x, approximate=False),
    "SiLU": lambda f, x: f.silu(x),
    "Sigmoid": lambda f, x: f.sigmoid(x),
}
"""Activations of a `Dense`, by the names of PyTorch's modules."""


def dense_name(i: int) -> str:
    """Where the arrays of a `Dense` lie in Params."""
    return f"dense_{i + 1}" if i else "dense"


def dense_folder(i: int) -> str:
    """The folder of a `Dense` in a checkpoint."""
    return f"{i + 2}_Dense"


def add_sentence_embedding(
    b: GraphBuilder,
    main: Callable[..., dict[str, Value]],
    config: SentenceConfig,
    inputs: Mapping[str, Input],
) -> None:
    """Adds the entry `sentence_embedding`, which calls `main` and pools its tokens."""
    taken = {n: i for n, i in inputs.items() if n in _TOKENS}
    typed = "token_type_ids" in taken

    def sentence_embedding(
        f: F,
        input_ids: Value,
        attention_mask: Value | None = None,
        token_type_ids: Value | None = None,
    ) -> dict[str, Value]:
        """Token ids to one vector per text."""
        present = f.default(attention_mask, f.ones_like(input_ids), name="present")
        types = {"token_type_ids": token_type_ids} if typed else {}
        run = f.call("model", main, params=".")
        tokens = run(input_ids, attention_mask=present, **types)
        vectors = [
            f.call("pooled" if i == 0 else f"pooled_{i + 1}", pool)(
                tokens["last_hidden_state"], present, pooling=pooling
            )
            for i, pooling in enumerate(config.pooling)
        ]
        x = vectors[0] if len(vectors) == 1 else f.concatenate(vectors, axis=-1)
        for i, dense in enumerate(config.dense):
            x = f.linear(dense_name(i), x, dense.features, use_bias=dense.bias)
            x = DENSE[dense.act](f, x)
        if config.normalize:
            length = f.norm(x, axis=-1, keepdims=True, name="length")
            x = f.divide(x, f.maximum(length, 1e-12), name="normalized")
        return {SENTENCE: x}

    untyped = without(sentence_embedding, "token_type_ids")
    b.entry(sentence_embedding if typed else untyped, **taken)


def pool(f: F, x: Value, present: Value, *, pooling: str) -> Value:
    """x (batch, seq, width), present (batch, seq), 0 for padding -> (batch, width)."""
    column = present[..., None]
    if pooling == "max":
        return f.where(column, x, -1e9).max(-2)
    if pooling in ("cls", "lasttoken"):  # the first or last token that is no padding
        if pooling == "cls":
            place = f.argmax(present, axis=-1)
        else:
            place = f.argmax(f.cumsum(present, axis=-1) * present, axis=-1)
        place = place[..., None, None]
        return f.take_along_axis(x, place, axis=-2).squeeze(-2)
    if pooling == "weightedmean":  # the first token counts once, the second twice, ...
        before = f.argmax(present, axis=-1, name="before")[..., None]
        places = f.arange(present.shape[-1], name="places")
        column = ((places - before + 1) * present)[..., None]
        total = f.sum(x * column, axis=-2, name="total")
        return total / f.maximum(column.sum(-2), 1, name="count")
    total = f.sum(x * column, axis=-2, name="total")
    count = f.maximum(present.sum(-1, keepdims=True), 1, name="count")
    return total / (count if pooling == "mean" else f.sqrt(count))
