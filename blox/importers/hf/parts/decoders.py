"""What decoders have in common: scoring whole texts, and steps with caches.

A family says how tokens begin, what a layer does around its attention, and how hidden
states end; both entries are written of that, with the same parameters.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import blox as bx
from blox.builder.values import Input

from ..family.sentence import add_sentence_embedding
from .attention import Attend, Attention, Given, Maps, Outputs
from .functions import named, without
from .texts import last_token, question_answering

HEADS = {
    "Model": "",
    "ForCausalLM": "causal_lm",
    "ForSequenceClassification": "sequence_labels",
    "ForTokenClassification": "token_labels",
    "ForQuestionAnswering": "question_answering",
}
"""What most decoders have on top, by the ends of the names of their classes."""
TOP = ("lm_head", "score", "classifier", "qa_outputs")
"""Layers of those."""

if TYPE_CHECKING:
    from blox.builder.function import F
    from blox.builder.values import Value


class Decoder(Attention):
    """A decoder's Graph.

    Attributes:
        b: writes it.
        model: of it.
        layers: where its layers lie in Params.
        embedding: the same of the table of words.
        token_head: the same of what scores tokens.
        positioned: takes `position_ids`.
    """

    layers = "layers"
    embedding = "embed_tokens"
    token_head = "score"
    positioned = True

    @abstractmethod
    def start(self, f: F, input_ids: Value, positions: Value) -> tuple[Value, Outputs]:
        """Hidden states, (batch, seq, width), and what all layers are given.

        Of two such as `cos` and `near_cos` narrow layers are given the second, as `cos`.
        """

    @abstractmethod
    def layer(self, f: F, x: Value, attend: Attend) -> Value:
        """A layer: (batch, seq, width) -> the same."""

    @abstractmethod
    def end(self, f: F, x: Value) -> Value:
        """The last norm."""

    def words(self, f: F, x: Value) -> Value:
        """Scores of all words."""
        if self.config.tie_word_embeddings:
            return f.unembed("lm_head", x, params=self.embedding)
        return f.linear("lm_head", x, self.b.vocab, use_bias=False)

    def write(self) -> None:
        """Writes `main`, and `step` where the head is none that needs whole texts."""
        steps = self.model.head in ("", "causal_lm") and self.model.sentence is None
        self.b.dim("seq", max=self.b.context)
        if steps:
            self.b.dim("cached", max=self.b.context)
            self.b.constraint("seq <= cached")
        self._whole()
        if steps:
            self._step()

    def _whole(self) -> None:
        def attention(f: F, x: Value, mask: Value, **given: Value) -> Value:
            causal = not self.mixed  # else the mask says it
            maps = self.maps(f, x, given)
            y = self.attended(f, maps, mask, given, causal=causal)
            return self.merged(f, y)

        def layer(f: F, x: Value, **given: Value) -> Value:
            mask, rest = self.own(f, given)
            call = f.call("attention", named("attention", attention, mask=mask, **rest))
            return self.layer(f, x, lambda y: call(y, mask, **rest))

        inputs = {
            "input_ids": Input(["batch", "seq"], "int32"),
            "attention_mask": Input(["batch", "seq"], "int32", optional=True),
            **self._position_ids(),
        }

        @self.b.entry(**inputs)
        @self._inputs
        def main(
            f: F,
            input_ids: Value,
            attention_mask: Value | None = None,
            position_ids: Value | None = None,
        ) -> Outputs:
            """Token ids to hidden states of the last layer, or what a head makes of them."""
            present = f.default(attention_mask, f.ones_like(input_ids), name="present")
            mask = f.padding_mask(present, name="padding" if self.mixed else "mask")
            offsets = f.arange(stop=input_ids.shape[-1], name="offsets")
            positions = self._positions(f, position_ids, present, offsets)
            masks = {"mask": mask}
            if self.mixed:
                masks = self.masks(f, offsets, offsets, mask)
            x, given = self.start(f, input_ids, positions)
            given |= self._bias(f, offsets, offsets)
            x = self._run(f, "layer", layer, x, {**masks, **given})
            return self._with_head(f, self.end(f, x), input_ids)

        if self.model.sentence is not None:
            add_sentence_embedding(self.b, main, self.model.sentence, inputs)

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
            mask, rest = self.own(f, given)

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
            **self._position_ids(),
        )
        @self._inputs
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
            given = self.masks(f, at, places, f.padding_mask(present))
            positions = self._positions(f, position_ids, present, at)
            x, more = self.start(f, input_ids, positions)
            given |= {"position": position, **more, **self._bias(f, at, places)}
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

    def _position_ids(self) -> dict[str, Input]:
        given = Input(["batch", "seq"], "int32", optional=True)
        return {"position_ids": given} if self.positioned else {}

    def _inputs(self, entry: Callable[..., Any]) -> Any:
        return entry if self.positioned else without(entry, "position_ids")

    def _positions(self, f: F, given: Value | None, present: Value, at: Value) -> Value:
        if not self.positioned:
            return at
        found = self.positions(f, present, at)
        return f.default(given, found, name="positions")

    def _bias(self, f: F, at: Value, places: Value) -> Outputs:
        bias = self.bias(f, at, places)
        return {} if bias is None else {"bias": bias}


__all__ = ["Attend", "Decoder", "Given", "Maps", "Outputs"]
