"""Prompts as texts that are being written: buckets, capacity, and the compiled loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from blox.runtime.build import build
from blox.schema import Graph, ModelError
from blox.schema.diagnostics import Diagnostic

from .config import GenerationConfig
from .loops import Beams, Run, searched, written
from .stepping import ENCODE, Stepper

if TYPE_CHECKING:
    from collections.abc import Collection

OnToken = Callable[[int, int], None]
"""Called with the number of a prompt and its next token."""
Stop = Callable[[int, Sequence[int]], bool]
"""Called with the number of a prompt and its new ids."""


@dataclass
class Task:
    stepper: Stepper
    params: Any
    config: GenerationConfig
    encode: Mapping[str, Any]

    def prompts(self, given: Sequence[Sequence[int]] | None) -> list[list[int]]:
        """Ids that each text begins with."""
        if given is None:
            start = self.config.decoder_start_token_id
            if start is None or not self.encode:
                raise error("prompts", "expected ids, found none")
            return [[start]] * len(next(iter(self.encode.values())))
        rows = [[int(i) for i in row] for row in given]
        if not rows or not all(rows):
            refuse("prompts", "expected at least one id for each, found none")
        return rows

    def start(self, rows: list[list[int]], chunk: int, beams: int) -> tuple[Run, Any]:
        """Texts after their prompts, and what the encoder gives; a text for each beam."""
        longest, new = max(map(len, rows)), self.config.max_new_tokens
        begin, places = self._room(rows, longest, new)
        texts = np.full((len(rows), places), self.config.pad_token_id, np.int32)
        there = np.zeros((len(rows), places), np.int32)
        for at, row in enumerate(rows):
            texts[at, begin - len(row) : begin] = row
            there[at, begin - len(row) : begin] = 1
        there[:, begin:] = 1  # what will be written; the causal mask hides it till then
        given = self._encoded(beams)
        tokens, real = (
            jnp.repeat(jnp.asarray(a), beams, axis=0) for a in (texts, there)
        )
        caches = self.stepper.empty(self.params, len(tokens), places)
        logits = None
        prefill = _prefill(self.stepper)
        for at in range(0, begin, chunk):
            ids = tokens[:, at : min(at + chunk, begin)]
            logits, caches = prefill(
                self.params, ids, jnp.int32(at), caches, real, given
            )
        run = Run(
            tokens=tokens,
            real=real,
            length=jnp.int32(begin),
            begin=jnp.int32(begin),
            caches=caches,
            logits=logits.astype(jnp.float32),  # type: ignore[union-attr]
            done=jnp.zeros(len(tokens), bool),
        )
        return run, given

    def _room(self, rows: list[list[int]], longest: int, new: int) -> tuple[int, int]:
        """Where new tokens begin, and how many places there are: both of a bucket, if
        there is room for it."""
        most = self.stepper.capacity
        if most is not None and longest + new > most:
            refuse(
                "max_new_tokens",
                f"expected at most {max(most - longest, 0)} after {longest} ids, as there "
                f"are {most} places, found {new}",
            )
        padded = self.stepper.takes("attention_mask")
        if not padded and any(len(row) != longest for row in rows):
            wanted = "expected an input attention_mask of step, as prompts are padded"
            refuse("prompts", f"{wanted}, found none", "give prompts of equal lengths")
        begin = (
            bucket(longest)
            if padded and self.stepper.takes("position_ids")
            else longest
        )
        places = bucket(begin + new)
        if most is not None:
            begin = min(begin, most - new)
            places = min(places, most)
        return begin, places

    def _encoded(self, beams: int) -> dict[str, Any]:
        if not self.stepper.given:
            return {}
        found = _encode(self.stepper.graph)(self.params, **self.encode)
        axes = self.stepper.axes()
        return {
            name: jax.tree.map(
                lambda a, n=name: jnp.repeat(a, beams, axes[n]), found[name]
            )
            if axes[name] >= 0
            else found[name]
            for name in self.stepper.given
        }

    def write(
        self,
        rows: list[list[int]],
        chunk: int,
        key: jax.Array,
        on_token: OnToken | None,
        stop: Stop | None,
    ) -> Iterator[list[int]]:
        run, given = self.start(rows, chunk, 1)
        begin = int(run.begin)
        limit = begin + self.config.max_new_tokens
        loop = _loop(self.stepper, self.config)
        at = begin
        seen = [0] * len(rows)
        while at < limit and not bool(run.done.all()):
            to = limit if on_token is None and stop is None else at + 1
            run = loop(self.params, given, run, jnp.int32(limit), jnp.int32(to), key)
            at = int(run.length)
            if on_token is None and stop is None:
                break
            texts = self._texts(run, begin)
            done = np.asarray(run.done).copy()
            for row, text in enumerate(texts):
                for token in text[seen[row] :]:
                    if on_token is not None:
                        on_token(row, token)
                if stop is not None and len(text) > seen[row]:
                    done[row] |= stop(row, text)
                seen[row] = len(text)
            run = run._replace(done=jnp.asarray(done))
        texts = self._texts(run, begin)
        yield from (
            t[: s or None] if stop else t for t, s in zip(texts, seen, strict=True)
        )

    def _texts(self, run: Run, begin: int) -> list[list[int]]:
        tokens = np.asarray(run.tokens)[:, begin : int(run.length)]
        return [_ended(row.tolist(), self.config.eos_token_id) for row in tokens]

    def search(self, rows: list[list[int]], chunk: int) -> list[list[int]]:
        count = self.config.num_beams
        run, given = self.start(rows, chunk, count)
        begin = int(run.begin)
        scores = jnp.where(jnp.arange(count) == 0, 0.0, -1e9)
        beams = Beams(
            run=run,
            scores=jnp.broadcast_to(scores, (len(rows), count)),
            ended=run.tokens.reshape(len(rows), count, -1),
            ended_scores=jnp.full((len(rows), count), -1e9),
            full=jnp.zeros((len(rows), count), bool),
            open=jnp.ones(len(rows), bool),
        )
        limit = begin + self.config.max_new_tokens
        search = _search(self.stepper, self.config)
        beams = search(self.params, given, beams, jnp.int32(limit))
        best = np.asarray(beams.ended)[:, 0, begin:limit]
        ends = self.config.eos_token_id
        return [_ended(row.tolist(), ends) for row in best]


def _ended(row: list[int], ends: Collection[int]) -> list[int]:
    """The ids up to the first that ends a text."""
    for at, token in enumerate(row):
        if token in ends:
            return row[: at + 1]
    return row


def bucket(size: int) -> int:
    """The power of two that is not below, from 16 on."""
    return max(16, 1 << (size - 1).bit_length())


@lru_cache(maxsize=64)
def _prefill(stepper: Stepper) -> Any:
    return jax.jit(stepper.run, donate_argnames=("caches",))


@lru_cache(maxsize=64)
def _loop(stepper: Stepper, config: GenerationConfig) -> Any:
    def loop(
        params: Any, given: Any, run: Run, limit: Any, stop: Any, key: jax.Array
    ) -> Run:
        return written(stepper, config, params, given, run, limit, stop, key)

    return jax.jit(loop, donate_argnames=("run",))


@lru_cache(maxsize=64)
def _search(stepper: Stepper, config: GenerationConfig) -> Any:
    def loop(params: Any, given: Any, beams: Beams, limit: Any) -> Beams:
        return searched(stepper, config, params, given, beams, limit)

    return jax.jit(loop, donate_argnames=("beams",))


@lru_cache(maxsize=64)
def _encode(graph: Graph) -> Any:
    model = build(graph, ENCODE)
    names = list(graph.program().entries[ENCODE].function.outputs)

    def encode(params: Any, **inputs: Any) -> dict[str, Any]:
        found, _ = model(params, **inputs)
        return found if isinstance(found, dict) else {names[0]: found}

    return jax.jit(encode)


def refuse(path: str, message: str, hint: str = "") -> NoReturn:
    raise error(path, message, hint)


def error(path: str, message: str, hint: str = "") -> ModelError:
    return ModelError(Diagnostic("generation-input", path, message, hint))
