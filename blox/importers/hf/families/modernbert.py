"""ModernBERT. Warner et al., arXiv:2412.13663. Pre-norm; some layers see near tokens only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import blox as bx
from blox.mapping.layouts import Kernel, Split
from blox.mapping.rules import AnyRule, Rule

from ..family.family import Family, Model
from ..parts.activations import activation
from ..parts.encoders import Encoder
from ..parts.functions import named
from ..parts.rotary import turned
from ..parts.texts import question_answering
from .modernbert_config import KINDS, ModernBertConfig

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value

    from ..parts.texts import Outputs


class ModernBert(Encoder):
    takes = ("attention_mask", "position_ids")

    @property
    def eps(self) -> float:
        return float(self.config.norm_eps)

    def norm(self, f: F, name: str, x: Value) -> Value:
        return f.layer_norm(name, x, eps=self.eps, use_bias=self.config.norm_bias)

    def encoded(
        self, f: F, input_ids: Value, present: Value, **others: Value | None
    ) -> Value:
        x = f.embed("embedding", input_ids, self.b.vocab, self.b.width)
        x = self.norm(f, "embedding_norm", x)
        offsets = f.arange(stop=input_ids.shape[-1], name="offsets")
        positions = f.default(others.get("position_ids"), offsets, name="positions")
        padding = f.padding_mask(present, name="padding")
        first, *kinds = self.config.kinds
        seen = {
            kind: self.seen(f, kind, offsets, positions, padding)
            for kind in KINDS
            if kind in (first, *kinds)
        }
        layer = named("first_layer", self.first_layer, **seen[first])
        x = f.call("first", layer)(x, **seen[first])
        if kinds:
            given = seen[kinds[0]]
            if len({*kinds}) > 1:
                narrow = f.constant([k == KINDS[1] for k in kinds], dtype="bool")
                near = {f"near_{name}": value for name, value in seen[KINDS[1]].items()}
                given = {**seen[KINDS[0]], **near, "narrow": bx.slices(narrow)}
            layer = named("layer", self.layer, **given)
            x = f.repeat("layers", layer, count=self.b.depth - 1)(x, **given)
        return self.norm(f, "final_norm", x)

    def seen(
        self, f: F, kind: str, offsets: Value, positions: Value, padding: Value
    ) -> dict[str, Value]:
        """What a layer of a kind may attend to, and the angles of its positions."""
        head_dim = self.b.width // self.b.heads
        rope = self.config.rope(kind, self.b.context, head_dim) | {"dim": head_dim}
        cos, sin = f.rope_table(positions, **rope)
        if kind == KINDS[0]:
            return {"mask": padding, "cos": cos, "sin": sin}
        window = self.config.local_attention // 2 + 1
        near = f.attention_mask(offsets, offsets, window=window)
        near = f.logical_and(near, padding, name="near")
        return {"mask": near, "cos": cos, "sin": sin}

    def first_layer(self, f: F, x: Value, **given: Value) -> Value:
        """The norm of embeddings is that of its attention."""
        attention = named("attention", self.attention, **given)
        return self.fed(f, x + f.call("attention", attention)(x, **given))

    def layer(self, f: F, x: Value, **given: Value) -> Value:
        if "narrow" in given:
            narrow = given["narrow"]
            given = {
                name: f.where(narrow, given[f"near_{name}"], given[name])
                for name in ("mask", "cos", "sin")
            }
        attention = named("attention", self.attention, **given)
        y = self.norm(f, "attention_norm", x)
        return self.fed(f, x + f.call("attention", attention)(y, **given))

    def fed(self, f: F, x: Value) -> Value:
        """The second half of a layer."""
        return x + f.call("mlp", self.mlp)(self.norm(f, "mlp_norm", x))

    def mlp(self, f: F, x: Value) -> Value:
        bias = self.config.mlp_bias
        gate = f.linear("gate", x, self.b.hidden, use_bias=bias)
        gate = activation(f, self.config.hidden_activation, gate)
        y = gate * f.linear("up", x, self.b.hidden, use_bias=bias)
        return f.linear("down", y, x.features, use_bias=bias)

    def attention(self, f: F, x: Value, mask: Value, **given: Value) -> Value:
        bias, split = (
            self.config.attention_bias,
            (self.b.heads, x.features // self.b.heads),
        )
        q, k, v = (
            f.reshape(
                f.linear(n, x, x.features, use_bias=bias), ["...", *split], name=n[0]
            )
            for n in ("query", "key", "value")
        )
        q, k = (
            turned(f, y, **given, name=f"{n}_rope") for n, y in (("q", q), ("k", k))
        )
        y = f.dot_product_attention(q, k, v, mask, name="attended")
        y = f.flatten(y, start=-2, name="merged")
        return f.linear("output", y, x.features, use_bias=bias)

    def end(self, f: F, x: Value, present: Value) -> Outputs:
        head = self.model.head
        if not head:
            return {"last_hidden_state": x}
        if head in ("sequence_labels", "multiple_choice"):
            x = self.text(f, x, present)
        y = f.call("head", self.predicted)(x)
        if head == "question_answering":
            return question_answering(f, y, "classifier")
        if head == "multiple_choice":
            return {"logits": f.linear("classifier", y, 1)[..., 0]}
        if head != "masked_lm":
            return {"logits": f.linear("classifier", y, self.b.labels)}
        y = f.unembed("decoder", y, params="embedding")
        bias = self.config.decoder_bias
        return {"logits": y + f.param("decoder_bias", [self.b.vocab]) if bias else y}

    def text(self, f: F, x: Value, present: Value) -> Value:
        """One vector for each text."""
        if self.config.classifier_pooling == "mean":
            total = f.sum(x * present[..., None], axis=-2, name="total")
            return total / present.sum(-1, keepdims=True)
        if self.model.head == "sequence_labels":
            return x[..., 0, :]
        place = f.argmax(present, axis=-1)[..., None, None]
        return f.take_along_axis(x, place, axis=-2).squeeze(-2)

    def predicted(self, f: F, x: Value) -> Value:
        config = self.config
        x = f.linear("dense", x, x.features, use_bias=config.classifier_bias)
        return self.norm(f, "norm", activation(f, config.classifier_activation, x))


LAYER = {
    "attention_norm": "attn_norm",
    "attention.output": "attn.Wo",
    "mlp_norm": "mlp_norm",
    "mlp.down": "mlp.Wo",
}
PLACES = {"first": "layers.first", "layers.{i}": "layers.{i}"}


def rules(model: Model) -> list[AnyRule]:
    """Queries, keys and values are one map, and so are gates and what they are for."""
    found: list[AnyRule] = []
    for ours, theirs in PLACES.items():
        for name, other, layouts in (
            ("kernel", "weight", [Kernel()]),
            ("bias", "bias", []),
        ):
            qkv = [
                f"{ours}.attention.{part}.{name}" for part in ("query", "key", "value")
            ]
            wi = [f"{ours}.mlp.{part}.{name}" for part in ("gate", "up")]
            found += [
                Rule(qkv, f"{theirs}.attn.Wqkv.{other}", Split(3), *layouts),
                Rule(wi, f"{theirs}.mlp.Wi.{other}", Split(2), *layouts),
            ]
    return [*found, Rule("decoder_bias", "decoder.bias")]


FAMILIES = {
    "modernbert": Family(
        model_type="modernbert",
        config=ModernBertConfig,
        heads={
            "ModernBertModel": "",
            "ModernBertForMaskedLM": "masked_lm",
            "ModernBertForSequenceClassification": "sequence_labels",
            "ModernBertForTokenClassification": "token_labels",
            "ModernBertForQuestionAnswering": "question_answering",
            "ModernBertForMultipleChoice": "multiple_choice",
        },
        write=lambda b, model: ModernBert(b, model).write(),
        modules={
            "embedding": "embeddings.tok_embeddings",
            "embedding_norm": "embeddings.norm",
            **{
                f"{o}.{n}": f"{t}.{m}"
                for o, t in PLACES.items()
                for n, m in LAYER.items()
            },
            "final_norm": "final_norm",
            "head.dense": "head.dense",
            "head.norm": "head.norm",
            "classifier": "classifier",
        },
        rules=rules,
        prefix="model.",
        top=("head", "decoder", "classifier"),
        apart=lambda _: "layers",
    )
}
