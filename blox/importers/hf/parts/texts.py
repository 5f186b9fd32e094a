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


def question_answering(f: F, x: Value, name: str = "qa_outputs") -> Outputs:
    """Scores of each token to be the first and the last of an answer."""
    y = f.linear(name, x, 2)
    return {"start_logits": y[..., 0], "end_logits": y[..., 1]}


def positions_of_tokens(f: F, input_ids: Value, pad: int) -> Value:
    """Those of tokens that are no padding, counted from `pad` + 1 on; `pad` at padding."""
    real = f.not_equal(input_ids, pad).astype("int32")
    return f.add(f.cumsum(real, axis=-1) * real, pad, name="offsets")


def classifier(f: F, x: Value, *, act: str, labels: int) -> Value:
    """Scores of labels of the first token: (batch, seq, width) -> (batch, labels)."""
    x = activation(f, act, f.linear("dense", x[..., 0, :], x.features))
    return f.linear("out", x, labels)


def prediction(f: F, x: Value, *, act: str, eps: float, features: int) -> Value:
    """What a masked language model makes of hidden states before it scores words."""
    x = activation(f, act, f.linear("dense", x, features))
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
