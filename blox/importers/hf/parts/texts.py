"""What encoders of texts have in common: inputs, and heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from blox.builder.values import Input

from .activations import activation

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value

    from ..family.family import Model

Outputs = dict[str, "Value"]


def inputs(model: Model, *optional: str) -> dict[str, Input]:
    """`input_ids` (batch, seq), and optional ones of the same shape; a model that chooses
    takes (batch, choices, seq)."""
    choices = ["choices"] if model.head == "multiple_choice" else []
    shape = ["batch", *choices, "seq"]
    others = {name: Input(shape, "int32", optional=True) for name in optional}
    return {"input_ids": Input(shape, "int32"), **others}


def padding(f: F, input_ids: Value, attention_mask: Value | None) -> Value:
    """True where a token is, (..., 1, 1, seq), for attention."""
    present = f.default(attention_mask, f.ones_like(input_ids), name="present")
    return f.padding_mask(present, name="mask")


def question_answering(f: F, x: Value, name: str = "qa_outputs") -> Outputs:
    """Scores of each token to be the first and the last of an answer."""
    y = f.linear(name, x, 2)
    return {"start_logits": y[..., 0], "end_logits": y[..., 1]}


def prediction(f: F, x: Value, *, act: str, eps: float) -> Value:
    """What a masked language model makes of hidden states before it scores words."""
    x = activation(f, act, f.linear("dense", x, x.features))
    return f.layer_norm("norm", x, eps=eps)


def words(f: F, x: Value, vocab: int, *, tied: str | None, bias: str) -> Value:
    """Scores of all words, (..., vocab), by the table `tied` or by a map of its own."""
    y = f.linear("decoder", x, vocab, use_bias=False) if tied is None else (
        f.unembed("decoder", x, params=tied)
    )  # fmt: skip
    return y + f.param(bias, [vocab])


def last_token(f: F, scores: Value, input_ids: Value, raw: Mapping[str, Any]) -> Value:
    """The scores of the last token that is no padding: (batch, seq, n) -> (batch, n)."""
    pad = raw.get("pad_token_id")
    if not isinstance(pad, int):
        return scores[:, -1]
    places = f.arange(input_ids.shape[-1], name="places")
    last = f.argmax(f.where(f.not_equal(input_ids, pad), places, 0), axis=-1)
    return f.take_along_axis(scores, last[:, None, None], axis=1, name="last")[:, 0]
