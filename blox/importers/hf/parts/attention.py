"""Attention of decoders: what it is made of, and what it may attend to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import blox as bx

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.graph import GraphBuilder
    from blox.builder.values import Value

    from ..family.family import Model

Attend = Callable[["Value"], "Value"]
"""Attention of normalised hidden states, to what came before them."""
Given = Mapping[str, "Value"]
"""What all layers are given beside hidden states, such as `cos` and `sin`, by name."""
Outputs = dict[str, "Value"]


class Maps(NamedTuple):
    """Queries, keys and values by heads: (batch, seq, heads, size)."""

    query: Value
    key: Value
    value: Value


class Attention:
    """Attention, by default of equal heads, whose maps are those of hidden states.

    Attributes:
        b: writes it.
        model: of it.
        use_bias: maps around it have one.
        softcap: of its scores.
    """

    use_bias = True
    softcap: float | None = None

    def __init__(self, b: GraphBuilder, model: Model) -> None:
        self.b, self.model = b, model

    @property
    def config(self) -> Any:
        """The settings of its family."""
        return self.model.config

    @property
    def heads(self) -> tuple[int, int]:
        """Those of keys and values, and their size."""
        return self.b.heads, self.b.width // self.b.heads

    @property
    def windows(self) -> list[int | None]:
        """How many tokens one attends to in each layer, itself one; None for all."""
        return [None] * int(self.model.attributes["depth"])

    @property
    def mixed(self) -> bool:
        """Layers differ in what they attend to."""
        return len(set(self.windows)) > 1

    @property
    def scale(self) -> float | None:
        """Of its scores; None for what the size of heads asks for."""
        return None

    def positions(self, f: F, present: Value, at: Value) -> Value:
        """Positions of tokens by their places; `present` (batch, places), 0 for padding."""
        return at

    def bias(self, f: F, at: Value, places: Value) -> Value | None:
        """What is added to scores of attention, (heads, queries, keys)."""
        return None

    def maps(self, f: F, x: Value, given: Given) -> Maps:
        """What attention is made of."""
        return Maps(*(
            f.reshape(
                f.linear(name, x, self.b.width, use_bias=self.use_bias),
                ["...", *self.heads],
                name=name[0],
            )
            for name in ("query", "key", "value")
        ))  # fmt: skip

    def merged(self, f: F, y: Value) -> Value:
        """What heads attended to, (batch, seq, heads, size), as hidden states."""
        y = f.flatten(y, start=-2, name="merged")
        return f.linear("output", y, self.b.width, use_bias=self.use_bias)

    def attended(
        self, f: F, maps: Maps, mask: Value, given: Given, *, causal: bool
    ) -> Value:
        """Each query's mean of values, (batch, seq, heads, size)."""
        shared = maps.query.shape[-2] // maps.key.shape[-2]
        return f.dot_product_attention(
            *maps, mask, given.get("bias"), None, self.scale, heads_per_kv=shared,
            softcap=self.softcap, causal=causal,
            window=self.windows[0] if causal else None, name="attended",
        )  # fmt: skip

    def masks(self, f: F, at: Value, places: Value, padding: Value) -> Outputs:
        """What layers may attend to: one mask, or two and which one each has."""

        def mask(window: int | None, name: str) -> Value:
            near = f.attention_mask(at, places, causal=True, window=window)
            return f.logical_and(near, padding, name=name)

        if not self.mixed:
            return {"mask": mask(self.windows[0], "mask")}
        narrow = [window is not None for window in self.windows]
        window = next(window for window in self.windows if window is not None)
        return {
            "mask": mask(None, "mask"),
            "near_mask": mask(window, "near_mask"),
            "narrow": bx.slices(f.constant(narrow, dtype="bool", name="narrow")),
        }

    def own(self, f: F, given: Given) -> tuple[Value, Outputs]:
        """The mask of a layer, and what else it is given: of two its own."""
        rest = dict(given)
        if self.mixed:
            narrow = rest.pop("narrow")
            for near in [name for name in rest if name.startswith("near_")]:
                name = near.removeprefix("near_")
                value = f.where(narrow, rest.pop(near), rest[name], name=f"own_{name}")
                rest[name] = value
        return rest.pop("mask"), rest
