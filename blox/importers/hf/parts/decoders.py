"""What decoders have in common: scoring whole texts, and steps with caches.

A family says how tokens begin, what a layer does around its attention, and how hidden
states end; both entries are written of that, with the same parameters.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import blox as bx
from blox.builder.values import Input

from .texts import question_answering

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


class Decoder(ABC):
    """A decoder's Graph.

    Attributes:
        b: writes it.
        model: of it.
        layers: where its layers lie in Params.
        token_head: the same of what scores tokens.
    """

    layers = "layers"
    token_head = "score"

    def __init__(self, b: GraphBuilder, model: Model) -> None:
        self.b, self.model = b, model
        self.config = model.config

    @property
    @abstractmethod
    def heads(self) -> tuple[int, int]:
        """Those of keys and values, and their size."""

    @property
    def windows(self) -> list[int | None]:
        """How many tokens one attends to in each layer, itself one; None for all."""
        return [None] * int(self.model.attributes["depth"])

    @abstractmethod
    def start(self, f: F, input_ids: Value, positions: Value) -> tuple[Value, Outputs]:
        """Hidden states, (batch, seq, width), and what all layers are given."""

    @abstractmethod
    def layer(self, f: F, x: Value, attend: Attend) -> Value:
        """A layer: (batch, seq, width) -> the same."""

    @abstractmethod
    def maps(self, f: F, x: Value, given: Given) -> Maps:
        """What attention is made of."""

    @abstractmethod
    def merged(self, f: F, y: Value) -> Value:
        """What heads attended to, (batch, seq, heads, size), as hidden states."""

    @abstractmethod
    def end(self, f: F, x: Value) -> Value:
        """The last norm."""

    @abstractmethod
    def words(self, f: F, x: Value) -> Value:
        """Scores of all words."""

    def attended(
        self, f: F, maps: Maps, mask: Value, given: Given, *, causal: bool
    ) -> Value:
        """Each query's mean of values, (batch, seq, heads, size)."""
        shared = maps.query.shape[-2] // maps.key.shape[-2]
        return f.dot_product_attention(
            *maps, mask, heads_per_kv=shared, causal=causal,
            window=self.windows[0] if causal else None, name="attended",
        )  # fmt: skip

    def write(self) -> None:
        """Writes `main`, and `step` where the head is none that needs whole texts."""
        steps = self.model.head in ("", "causal_lm")
        self.b.dim("seq", max=self.b.context)
        if steps:
            self.b.dim("cached", max=self.b.context)
            self.b.constraint("seq <= cached")
        self._whole()
        if steps:
            self._step()

    def _whole(self) -> None:
        optional = Input(["batch", "seq"], "int32", optional=True)

        def attention(f: F, x: Value, mask: Value, **given: Value) -> Value:
            causal = not self._mixed  # else the mask says it
            maps = self.maps(f, x, given)
            y = self.attended(f, maps, mask, given, causal=causal)
            return self.merged(f, y)

        def layer(f: F, x: Value, **given: Value) -> Value:
            mask, rest = self._mask(f, given)
            call = f.call("attention", named("attention", attention, mask=mask, **rest))
            return self.layer(f, x, lambda y: call(y, mask, **rest))

        @self.b.entry(
            input_ids=Input(["batch", "seq"], "int32"),
            attention_mask=optional,
            position_ids=optional,
        )
        def main(
            f: F,
            input_ids: Value,
            attention_mask: Value | None = None,
            position_ids: Value | None = None,
        ) -> Outputs:
            """Token ids to hidden states of the last layer, or what a head makes of them."""
            present = f.default(attention_mask, f.ones_like(input_ids), name="present")
            mask = f.padding_mask(present, name="padding" if self._mixed else "mask")
            offsets = f.arange(stop=input_ids.shape[-1], name="offsets")
            positions = f.default(position_ids, offsets, name="positions")
            masks = {"mask": mask}
            if self._mixed:
                masks = self._masks(f, offsets, offsets, mask)
            x, given = self.start(f, input_ids, positions)
            x = self._run(f, "layer", layer, x, {**masks, **given})
            return self._with_head(f, self.end(f, x), input_ids)

    def _run(
        self, f: F, name: str, layer: Callable[..., Any], x: Value, given: Given
    ) -> Any:
        run = f.repeat(
            self.layers,
            named(name, layer, **given),
            count=self.b.depth,
            scan=self.model.scan,
        )
        return run(x, **given)

    def _with_head(self, f: F, x: Value, input_ids: Value) -> Outputs:
        head = self.model.head
        if head == "causal_lm":
            return {"logits": self.words(f, x)}
        if head == "token_labels":
            return {"logits": f.linear(self.token_head, x, self.b.labels)}
        if head == "question_answering":
            return question_answering(f, x)
        if head == "sequence_labels":
            scores = f.linear("score", x, self.b.labels, use_bias=False)
            return {"logits": last_token(f, scores, input_ids, self.model.raw)}
        return {"last_hidden_state": x}

    def _step(self) -> None:
        b, scan = self.b, self.model.scan
        shape: list[int | str] = ["batch", "cached", *self.heads]
        cache = Input([b.depth, *shape]) if scan else Input(shape, copies=b.depth)

        def attention(
            f: F,
            x: Value,
            mask: Value,
            position: Value,
            keys: Value,
            values: Value,
            **given: Value,
        ) -> Outputs:
            query, key, value = self.maps(f, x, given)
            keys = f.dynamic_update_slice(keys, key, [position], axis=[1])
            values = f.dynamic_update_slice(values, value, [position], axis=[1])
            maps = Maps(query, keys, values)
            y = self.attended(f, maps, mask, given, causal=False)
            return {"x": self.merged(f, y), "keys": keys, "values": values}

        def layer(f: F, x: Value, **given: Value) -> Outputs:
            new: Outputs = {}
            mask, rest = self._mask(f, given)

            def attend(y: Value) -> Value:
                step = named("cached_attention", attention, mask=mask, **rest)
                new.update(f.call("attention", step)(y, mask, **rest))
                return new.pop("x")

            return {"x": self.layer(f, x, attend), **new}

        @b.entry(
            input_ids=Input(["batch", "seq"], "int32"),
            position=Input([], "int32"),
            keys=cache,
            values=cache,
            attention_mask=Input(["batch", "cached"], "int32", optional=True),
            position_ids=Input(["batch", "seq"], "int32", optional=True),
        )
        def step(
            f: F,
            input_ids: Value,
            position: Value,
            keys: Value,
            values: Value,
            attention_mask: Value | None = None,
            position_ids: Value | None = None,
        ) -> Outputs:
            """The next tokens, after `position` ones that are in the caches."""
            at = f.add(position, f.arange(input_ids.shape[-1]), name="at")
            cached = keys.shape[2 if scan else 1]
            places = f.arange(cached, name="places")
            ones = f.ones([input_ids.shape[0], cached], dtype="int32")
            present = f.default(attention_mask, ones, name="present")
            given = self._masks(f, at, places, f.padding_mask(present))
            positions = f.default(position_ids, at, name="positions")
            x, more = self.start(f, input_ids, positions)
            given |= {"position": position, **more}
            given |= {"keys": bx.slices(keys), "values": bx.slices(values)}
            y = self._run(f, "cached_layer", layer, x, given)
            x = self.end(f, y["x"])
            head = self.model.head == "causal_lm"
            found = {"logits": self.words(f, x)} if head else {"last_hidden_state": x}
            return {
                **found,
                "keys": bx.output(y["keys"], next="keys"),
                "values": bx.output(y["values"], next="values"),
            }

    @property
    def _mixed(self) -> bool:
        """Layers differ in what they attend to."""
        return len(set(self.windows)) > 1

    def _masks(self, f: F, at: Value, places: Value, padding: Value) -> Outputs:
        """What layers may attend to: one mask, or two and which one each has."""

        def mask(window: int | None, name: str) -> Value:
            near = f.attention_mask(at, places, causal=True, window=window)
            return f.logical_and(near, padding, name=name)

        if not self._mixed:
            return {"mask": mask(self.windows[0], "mask")}
        narrow = [window is not None for window in self.windows]
        window = next(window for window in self.windows if window is not None)
        return {
            "mask": mask(None, "mask"),
            "near": mask(window, "near"),
            "narrow": bx.slices(f.constant(narrow, dtype="bool", name="narrow")),
        }

    def _mask(self, f: F, given: Given) -> tuple[Value, Outputs]:
        """The mask of a layer, and what else it is given."""
        rest = dict(given)
        mask = rest.pop("mask")
        if self._mixed:
            mask = f.where(rest.pop("narrow"), rest.pop("near"), mask, name="own_mask")
        return mask, rest


def named(name: str, function: Callable[..., Any], **given: Value) -> Any:
    """A function of a Graph, whose inputs are x and those that are `given`."""

    names = ("x", *given)

    def call(f: F, *args: Value, **kwargs: Value) -> Any:
        return function(f, **dict(zip(names, args, strict=False)), **kwargs)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    call.__name__ = name
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(n, kind) for n in ("f", *names)]
    )
    return call


def last_token(f: F, scores: Value, input_ids: Value, raw: Mapping[str, Any]) -> Value:
    """The scores of the last token that is no padding: (batch, seq, n) -> (batch, n)."""
    pad = raw.get("pad_token_id")
    if not isinstance(pad, int):
        return scores[:, -1]
    places = f.arange(input_ids.shape[-1], name="places")
    last = f.argmax(f.where(f.not_equal(input_ids, pad), places, 0), axis=-1)
    return f.take_along_axis(scores, last[:, None, None], axis=1, name="last")[:, 0]
