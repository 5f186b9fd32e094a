"""DeBERTa 2 and 3. He et al., arXiv:2006.03654, arXiv:2111.09543.

Scores are made of contents, of a query's content and the key's distance, and of a key's
content and the distance: disentangled attention.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blox.mapping.layouts import Kernel
from blox.mapping.rules import AnyRule, Rule

from ..family.family import Family, Model
from ..family.settings import choice, flag, nested, number, only, size, unused
from ..parts.activations import ACTIVATIONS, activation
from ..parts.encoders import BUFFERS, MODULES, OLD_NAMES, Encoder
from ..parts.functions import named
from .bert import BertConfig

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value

KINDS = ("c2p", "p2c")


def _kinds(given: Any) -> list[str]:
    found = given.lower().split("|") if isinstance(given, str) else given or []
    return [kind.strip() if isinstance(kind, str) else "" for kind in found]


def _are_kinds(given: Any) -> bool:
    sound = given is None or isinstance(given, (str, list))
    return sound and set(_kinds(given)) <= set(KINDS)


@dataclass(frozen=True, kw_only=True)
class DebertaConfig(BertConfig):
    vocab_size: int = size(128100, "vocab")
    hidden_size: int = size(1536, "width")
    num_hidden_layers: int = size(24, "depth", high=4096)
    num_attention_heads: int = size(24, "heads")
    intermediate_size: int = size(6144, "hidden")
    type_vocab_size: int = size(0, low=0)
    layer_norm_eps: float = number(1e-7, 1e-30, 1.0)
    embedding_size: int | None = size(None)
    attention_head_size: int | None = size(None)
    pooler_hidden_size: int | None = size(None)
    relative_attention: bool = flag(False)
    max_relative_positions: int = size(-1, low=-1)
    position_buckets: int = size(-1, low=-1)
    position_biased_input: bool = flag(True)
    pos_att_type: Any = nested(None, f"some of {', '.join(KINDS)}", _are_kinds)
    share_att_key: bool = flag(False)
    norm_rel_ebd: str = choice("none", "none", "layer_norm")
    conv_kernel_size: int = size(0, low=0)
    conv_groups: int = size(1)
    conv_act: str = choice("tanh", *ACTIVATIONS)
    pooler_hidden_act: str = choice("gelu", *ACTIVATIONS)
    legacy: bool = flag(True)
    z_steps: int = only(0)
    pooler_dropout: float = unused()
    cls_dropout: float | None = unused()

    def faults(self) -> Iterator[tuple[str, str]]:
        yield from super().faults()
        width, buckets = self.hidden_size, self.position_buckets
        head = width // self.num_attention_heads
        for name, wanted in (
            ("attention_head_size", head),
            ("pooler_hidden_size", width),
        ):
            if getattr(self, name) not in (None, wanted):
                yield name, f"expected {wanted}, found {getattr(self, name)}"
        longest = self.max_relative_positions
        longest = longest if longest > 0 else self.max_position_embeddings
        if buckets > 0 and not 2 <= buckets < 2 * (longest - 1):
            wide = f"from 2 to {2 * (longest - 1) - 1}"
            yield "position_buckets", f"expected a number {wide}, found {buckets}"
        if self.conv_kernel_size and self.conv_kernel_size % 2 == 0:
            found = self.conv_kernel_size
            yield "conv_kernel_size", f"expected an odd number, found {found}"
        if width % self.conv_groups:
            yield (
                "conv_groups",
                f"expected a divisor of {width}, found {self.conv_groups}",
            )


class Deberta(Encoder):
    @property
    def config(self) -> DebertaConfig:
        return self.model.config  # type: ignore[no-any-return]

    def __init__(self, b: Any, model: Model) -> None:
        super().__init__(b, model)
        config = self.config
        self.takes = (
            "attention_mask",
            *(["token_type_ids"] if config.type_vocab_size else []),
            *(["position_ids"] if config.position_biased_input else []),
        )
        self.kinds = _kinds(config.pos_att_type)
        given = config.max_relative_positions
        self.furthest = given if given > 0 else b.context
        self.span = max(config.position_buckets, 0) or self.furthest

    def start(
        self,
        f: F,
        input_ids: Value,
        token_type_ids: Value | None = None,
        position_ids: Value | None = None,
        **others: Value | None,
    ) -> Value:
        config = self.config
        x = self.embedded(f, "word", input_ids, self.b.vocab)
        if config.position_biased_input:
            offsets = f.arange(stop=input_ids.shape[-1], name="offsets")
            positions = f.default(position_ids, offsets, name="positions")
            x = x + self.embedded(f, "position", positions, self.b.context)
        if config.type_vocab_size:
            types = f.default(token_type_ids, f.zeros_like(input_ids), name="types")
            x = x + self.embedded(f, "token_type", types, config.type_vocab_size)
        if self.word_width != self.b.width:
            x = f.linear("projection", x, self.b.width, use_bias=False)
        return f.layer_norm("norm", x, eps=self.eps)

    @property
    def word_width(self) -> Any:
        return self.config.embedding_size or self.b.width

    def embedded(self, f: F, name: str, ids: Value, rows: int) -> Value:
        return f.embed(name, ids, rows, self.word_width)

    def layers(self, f: F, x: Value, present: Value) -> Value:
        if not self.config.conv_kernel_size:
            return super().layers(f, x, present)
        x = f.where(present[..., None], x, 0)
        given = {"mask": f.padding_mask(present, name="mask"), **self.given(f, x)}
        layer = named("layer", self.layer, **given)
        y = f.call("first", layer)(x, **given)
        x = f.call("convolution", self.convolution)(x, y)
        out: Value = f.repeat("encoder", layer, count=self.b.depth - 1)(x, **given)
        return out

    def convolution(self, f: F, x: Value, y: Value) -> Value:
        """The first layer's output and neighbours of its input, normalised."""
        config = self.config
        near = f.conv(
            "conv", x, x.features, [config.conv_kernel_size], groups=config.conv_groups
        )
        return f.layer_norm(
            "norm", y + activation(f, config.conv_act, near), eps=self.eps
        )

    def given(self, f: F, x: Value) -> dict[str, Value]:
        if not self.config.relative_attention:
            return {}
        places = f.arange(stop=x.shape[-2], name="places")
        rows = f.subtract(places[:, None], places[None, :], name="distances")
        if self.config.position_buckets > 0:
            rows = f.call("buckets", buckets)(
                rows, count=self.config.position_buckets, furthest=self.furthest
            )
        rows = f.clip(rows + self.span, 0, 2 * self.span - 1, name="rows")
        table = f.param("relative", [2 * self.span, self.b.width])
        if self.config.norm_rel_ebd == "layer_norm":
            table = f.layer_norm("relative_norm", table, eps=self.eps)
        return {"table": table, "rows": rows}

    def attention(self, f: F, x: Value, mask: Value, **given: Value) -> Value:
        q, k, v = (self.by_heads(f, name, x) for name in ("query", "key", "value"))
        scale = ((1 + len(self.kinds)) * (x.features // self.b.heads)) ** -0.5
        bias = None
        if given and self.kinds:
            bias = f.multiply(self.distant(f, q, k, **given), scale, name="bias")
        y = f.dot_product_attention(q, k, v, mask, bias, None, scale, name="attended")
        return f.linear("output", f.flatten(y, start=-2, name="merged"), x.features)

    def distant(self, f: F, q: Value, k: Value, table: Value, rows: Value) -> Value:
        """Scores of distances: (batch, heads, q, k)."""
        lead = (None,) * (len(q.shape) - 2)
        scores: list[Value] = []
        for kind, x, other in (("c2p", q, "key"), ("p2c", k, "query")):
            if kind in self.kinds:
                y = self.by_heads(f, other, table, relative=True)
                y = f.einsum([x, y], "...qhd,rhd->...hqr")
                at = rows if kind == "c2p" else rows.swapaxes(0, 1)
                y = f.take_along_axis(y, at[lead], axis=-1, name=kind)
                scores.append(y if kind == "c2p" else y.swapaxes(-1, -2))
        return scores[0] if len(scores) == 1 else f.add(*scores, name="distant")

    def by_heads(self, f: F, name: str, x: Value, *, relative: bool = False) -> Value:
        if not relative:
            return super().by_heads(f, name, x)
        own = None if not self.config.share_att_key else name
        y = f.linear(f"relative_{name}", x, x.features, params=own)
        return f.reshape(y, ["...", self.b.heads, x.features // self.b.heads])

    def pooled(self, f: F, x: Value) -> Value:
        y = f.linear("pooler", x[..., 0, :], x.features)
        return activation(f, self.config.pooler_hidden_act, y)


def buckets(f: F, distance: Value, *, count: int, furthest: int) -> Value:
    """Near distances as they are, far ones by their logarithm: (q, k) -> (q, k)."""
    middle = count // 2
    far = f.maximum(f.abs(distance), middle, name="far")
    share = f.log(far / middle) / f.log(
        f.full([], furthest - 1, dtype="float32") / middle
    )
    log = f.ceil(share * (middle - 1)).astype("int32") + middle
    return f.where(far > middle, log * f.sign(distance), distance)


LAYERS = {
    "{}.attention.query": "attention.self.query_proj",
    "{}.attention.key": "attention.self.key_proj",
    "{}.attention.value": "attention.self.value_proj",
    "{}.attention.relative_key": "attention.self.pos_key_proj",
    "{}.attention.relative_query": "attention.self.pos_query_proj",
    "{}.attention.output": "attention.output.dense",
    "{}.attention_norm": "attention.output.LayerNorm",
    "{}.up": "intermediate.dense",
    "{}.down": "output.dense",
    "{}.output_norm": "output.LayerNorm",
}


def modules() -> dict[str, str]:
    found = {n: m for n, m in MODULES.items() if not n.startswith("encoder")}
    for ours, theirs in (("first", "first"), ("encoder.{i}", "{i}")):
        found |= {
            n.replace("{}", ours): f"encoder.layer.{theirs}.{m}"
            for n, m in LAYERS.items()
        }
    return found | {
        "projection": "embeddings.embed_proj",
        "relative_norm": "encoder.LayerNorm",
        "convolution.conv": "encoder.conv.conv",
        "convolution.norm": "encoder.conv.LayerNorm",
    }


def rules(model: Model) -> list[AnyRule]:
    found: list[AnyRule] = [Rule("relative", "encoder.rel_embeddings.weight")]
    if model.head != "masked_lm":
        return found
    legacy = model.config.legacy
    head = "cls.predictions" if legacy else "lm_predictions.lm_head"
    inner = f"{head}.transform" if legacy else head
    return [
        *found,
        Rule("decoder_bias", f"{head}.bias"),
        Rule("predictions.dense.kernel", f"{inner}.dense.weight", Kernel()),
        Rule("predictions.dense.bias", f"{inner}.dense.bias"),
        Rule("predictions.norm.scale", f"{inner}.LayerNorm.weight"),
        Rule("predictions.norm.bias", f"{inner}.LayerNorm.bias"),
    ]


FAMILIES = {
    "deberta-v2": Family(
        model_type="deberta-v2",
        config=DebertaConfig,
        heads={
            "DebertaV2Model": "",
            "DebertaV2ForMaskedLM": "masked_lm",
            "DebertaV2ForSequenceClassification": "sequence_labels",
            "DebertaV2ForTokenClassification": "token_labels",
            "DebertaV2ForQuestionAnswering": "question_answering",
            "DebertaV2ForMultipleChoice": "multiple_choice",
        },
        write=lambda b, model: Deberta(b, model).write(),
        modules=modules(),
        rules=rules,
        prefix="deberta.",
        top=("cls", "lm_predictions", "mask_predictions", "pooler", "classifier",
             "qa_outputs"),
        old_names=OLD_NAMES,
        ignored=(*BUFFERS, "cls.predictions.decoder.**"),
        apart=lambda model: "encoder.layer" if model.config.conv_kernel_size else "",
    )
}  # fmt: skip
