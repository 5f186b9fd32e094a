"""Rotary positions as configs of transformers say them, in new spelling and in old."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..family.settings import Settings, nested, number

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value

_YARN = {"factor", "original_max_position_embeddings"}
_NEEDED: dict[str, set[str]] = {
    "default": set(),
    "linear": {"factor"},
    "dynamic": {"factor"},
    "yarn": _YARN,
    "llama3": {*_YARN, "low_freq_factor", "high_freq_factor"},
}
_MORE = {"yarn": {"attention_factor", "beta_fast", "beta_slow", "mscale",
                  "mscale_all_dim", "truncate"}}  # fmt: skip
_ANY = {"rope_type", "type", "rope_theta", "partial_rotary_factor"}
EXPECTED = f"rope_type one of {', '.join(_NEEDED)}, with its numbers"


def is_rope(value: Any) -> bool:
    """True for parameters that are known."""
    if value is None or value == {}:
        return True
    if not isinstance(value, Mapping):
        return False
    kind = value.get("rope_type", value.get("type", "default"))
    if not isinstance(kind, str) or kind not in _NEEDED:
        return False
    needed = _NEEDED[kind] - {"original_max_position_embeddings"}
    known = _NEEDED[kind] | _MORE.get(kind, set()) | _ANY
    unknown = {n for n, v in value.items() if n not in known and v is not None}
    numbers = (
        v for n, v in value.items() if n not in ("rope_type", "type", "truncate")
    )
    sound = all(
        v is None or (type(v) in (int, float) and 0 < v < 1e12) for v in numbers
    )
    return sound and not unknown and all(value.get(n) for n in needed)


@dataclass(frozen=True, kw_only=True)
class RotarySettings(Settings):
    """The fields about rotary positions; `max_position_embeddings` is the model's."""

    rope_parameters: dict[str, Any] | None = nested(None, EXPECTED, is_rope)
    rope_scaling: dict[str, Any] | None = nested(None, EXPECTED, is_rope)
    rope_theta: float = number(10000.0, 1e-3, 1e12)

    @property
    def rope_base(self) -> float:
        """Theta, where the parameters don't say it."""
        return self.rope_theta

    @property
    def rope_share(self) -> float:
        """How much of a head is turned, where the parameters don't say it."""
        return 1.0

    def rope(self, context: int, head_dim: int) -> dict[str, Any]:
        """The arguments of `rope_table`, with `dim` features that are turned."""
        given = {**(self.rope_scaling or {}), **(self.rope_parameters or {})}
        return arguments(given, context, head_dim, self.rope_base, self.rope_share)

    def rope_faults(self, head_dim: int) -> Iterator[tuple[str, str]]:
        """Sizes that can't be turned."""
        dim = self.rope(1, head_dim)["dim"]
        if dim % 2 or not dim:
            yield "head_dim", f"expected an even number of features, found {dim}"


def arguments(
    given: Mapping[str, Any], context: int, head_dim: int, base: float, share: float
) -> dict[str, Any]:
    """Those of `rope_table` by parameters of transformers; `base` and `share` by default."""
    given = {n: v for n, v in given.items() if v is not None}
    kind = given.get("rope_type", given.get("type", "default"))
    found: dict[str, Any] = {
        "dim": int(head_dim * given.get("partial_rotary_factor", share)),
        "theta": float(given.get("rope_theta", base)),
    }
    if kind == "default":
        return found
    found |= {"scaling": kind, "factor": float(given["factor"])}
    if kind == "dynamic":
        found["original_length"] = context
    if kind in ("yarn", "llama3"):
        length = given.get("original_max_position_embeddings", context)
        found["original_length"] = int(length)
    if kind == "yarn":
        found["attention_factor"] = _attention_factor(given)
        found["truncate"] = bool(given.get("truncate", True))
    names = ("beta_fast", "beta_slow", "low_freq_factor", "high_freq_factor")
    return found | {n: float(given[n]) for n in names if n in given}


def _attention_factor(given: Mapping[str, Any]) -> float:
    def scale(times: float) -> float:
        factor = given["factor"]
        return 1.0 if factor <= 1 else 0.1 * times * math.log(factor) + 1.0

    if "attention_factor" in given:
        return float(given["attention_factor"])
    times, others = given.get("mscale"), given.get("mscale_all_dim")
    return scale(times) / scale(others) if times and others else scale(1.0)


def long_scale(factor: float, length: int) -> float:
    """What cos and sin of LongRoPE are multiplied by, for texts `factor` times as long."""
    return 1.0 if factor <= 1 else math.sqrt(1 + math.log(factor) / math.log(length))


def long_table(
    f: F,
    positions: Value,
    *,
    dim: int,
    theta: float,
    short: list[float],
    long: list[float],
    length: int,
    scale: float,
) -> dict[str, Value]:
    """cos and sin of LongRoPE, arXiv:2402.13753, whose pairs of features each have a factor.

    Texts of more than `length` tokens have other factors than those that are shorter.
    """
    reaches = f.greater_equal(f.max(positions), length, name="reaches")
    factors = f.where(
        reaches,
        f.constant(long, dtype="float32", name="long"),
        f.constant(short, dtype="float32", name="short"),
        name="factors",
    )
    exponents = f.arange(stop=dim, step=2, dtype="float32", name="pairs") / dim
    turns = f.multiply(factors, f.power(theta, exponents), name="turns")
    angles = f.divide(f.astype(positions, "float32")[..., None], turns, name="angles")
    cos, sin = f.cos(angles, name="cos"), f.sin(angles, name="sin")
    if scale != 1:
        cos, sin = scale * cos, scale * sin
    return {"cos": cos, "sin": sin}


def turned(f: F, x: Value, cos: Value, sin: Value, name: str) -> Value:
    """Queries or keys, (batch, seq, heads, size), turned: all features or the first."""
    dim = 2 * cos.features
    if dim == x.features:
        return f.rope(x, cos, sin, name=name)
    first = f.rope(x[..., :dim], cos, sin, name=name)
    return f.concatenate([first, x[..., dim:]], axis=-1)


__all__ = [
    "EXPECTED", "RotarySettings", "arguments", "is_rope", "long_scale", "long_table",
    "turned",
]  # fmt: skip
