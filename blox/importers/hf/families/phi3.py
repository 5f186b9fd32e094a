"""Phi-3 and Phi-4. Abdin et al., arXiv:2404.14219. Llama, its maps in fewer arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blox.mapping.rules import AnyRule

from ..family.family import Family, Model
from ..family.settings import nested, number, only, rate, size
from ..parts.decoders import HEADS, TOP, Outputs
from ..parts.fused import one_after_another
from ..parts.rotary import is_rope, long_scale, long_table
from .llama import MODULES, Llama, LlamaConfig

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value

_LONG = ("longrope", "su", "yarn")
_LISTS = ("short_factor", "long_factor")


def _are_factors(value: Any) -> bool:
    return isinstance(value, list) and all(
        type(v) in (int, float) and 0 < v < 1e6 for v in value
    )


def _is_rope(value: Any) -> bool:
    if not isinstance(value, Mapping) or _kind(value) not in _LONG:
        return is_rope(value) and (value is None or _kind(value) == "default")
    rest = {n: v for n, v in value.items() if n not in (*_LISTS, "rope_type", "type")}
    rest.pop("original_max_position_embeddings", None)
    numbers = {"factor", "attention_factor", "rope_theta", "partial_rotary_factor"}
    sound = all(v is None or (type(v) in (int, float) and v > 0) for v in rest.values())
    return sound and rest.keys() <= numbers and all(
        _are_factors(value.get(name)) for name in _LISTS
    )  # fmt: skip


def _kind(value: Mapping[str, Any]) -> Any:
    return value.get("rope_type", value.get("type", "default"))


_EXPECTED = "rope_type default or longrope, with short_factor and long_factor"


@dataclass(frozen=True, kw_only=True)
class Phi3Config(LlamaConfig):
    vocab_size: int = size(32064, "vocab")
    hidden_size: int = size(3072, "width")
    intermediate_size: int = size(8192, "hidden")
    max_position_embeddings: int = size(4096, "context")
    original_max_position_embeddings: int = size(4096, low=2)
    rms_norm_eps: float = number(1e-5, 1e-30, 1.0)
    rope_parameters: dict[str, Any] | None = nested(None, _EXPECTED, _is_rope)
    rope_scaling: dict[str, Any] | None = nested(None, _EXPECTED, _is_rope)
    partial_rotary_factor: float = number(1.0, 0.0, 1.0)
    sliding_window: int | None = size(None, null=True)
    attention_bias: bool = only(False)
    mlp_bias: bool = only(False)
    resid_pdrop: float = rate(0.0)
    embd_pdrop: float = rate(0.0)

    @property
    def windows(self) -> list[int | None]:
        return [self.sliding_window] * self.num_hidden_layers

    @property
    def rope_share(self) -> float:
        return self.partial_rotary_factor

    def rope(self, context: int, head_dim: int) -> dict[str, Any]:
        """The arguments of `rope_table`, or of `long_table`, which have `short`."""
        given = {**(self.rope_scaling or {}), **(self.rope_parameters or {})}
        if _kind(given) == "default":
            return super().rope(context, head_dim)
        length = self.original_max_position_embeddings
        factor = given.get("factor") or self.max_position_embeddings / length
        return {
            "dim": int(head_dim * given.get("partial_rotary_factor", self.rope_share)),
            "theta": float(given.get("rope_theta", self.rope_theta)),
            "short": [float(factor) for factor in given["short_factor"]],
            "long": [float(factor) for factor in given["long_factor"]],
            "length": length,
            "scale": given.get("attention_factor") or long_scale(factor, length),
        }

    def faults(self) -> Iterator[tuple[str, str]]:
        yield from super().faults()
        rope = self.rope(self.max_position_embeddings, self.head_dim or 0)
        for name in ("short", "long"):
            count = rope["dim"] // 2
            if name in rope and len(rope[name]) != count:
                message = f"expected {count} numbers, found {len(rope[name])}"
                yield f"rope_scaling.{name}_factor", message


class Phi3(Llama):
    @property
    def config(self) -> Phi3Config:
        return self.model.config  # type: ignore[no-any-return]

    def table(self, f: F, positions: Value, rope: dict[str, Any]) -> Outputs:
        if "short" not in rope:
            return super().table(f, positions, rope)
        return f.call("rope_table", long_table)(positions, **rope)


def rules(model: Model) -> list[AnyRule]:
    config: Phi3Config = model.config
    groups = config.num_key_value_heads or 1
    attention = [f"layers.{{i}}.attention.{part}" for part in ("query", "key", "value")]
    mlp = [f"layers.{{i}}.mlp.{part}" for part in ("gate", "up")]
    shares = (config.num_attention_heads, groups, groups)
    return [
        *one_after_another(attention, "layers.{i}.self_attn.qkv_proj", shares),
        *one_after_another(mlp, "layers.{i}.mlp.gate_up_proj"),
    ]


_FUSED = ("attention.query", "attention.key", "attention.value", "mlp.gate", "mlp.up")

FAMILIES = {
    "phi3": Family(
        model_type="phi3",
        config=Phi3Config,
        heads={f"Phi3{end}": h for end, h in HEADS.items() if h != "question_answering"},
        write=lambda b, model: Phi3(b, model).write(),
        modules={ours: m for ours, m in MODULES.items() if not ours.endswith(_FUSED)},
        rules=rules,
        prefix="model.",
        top=TOP,
        ignored=("layers.*.self_attn.rotary_emb.inv_freq",),
    )
}  # fmt: skip
