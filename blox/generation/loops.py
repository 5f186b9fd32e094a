"""The loops: one token for each row and step, by draws or by beams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from .config import GenerationConfig
from .scores import Text, processed, warped
from .stepping import Caches, Stepper, chosen_rows


class Run(NamedTuple):
    """Texts that are being written, a row each.

    `logits` are the scores of the next token, (rows, vocab); `done` rows only get padding.
    """

    tokens: Array
    real: Array
    length: Array
    begin: Array
    caches: Caches
    logits: Array
    done: Array

    @property
    def text(self) -> Text:
        return Text(self.tokens, self.real, self.length, self.begin)


def written(
    stepper: Stepper,
    config: GenerationConfig,
    params: Any,
    given: Mapping[str, Any],
    run: Run,
    limit: Array,
    stop: Array,
    key: Array,
) -> Run:
    """The texts of length `stop`, or shorter where all have ended; they end at `limit`."""

    def unfinished(run: Run) -> Array:
        return (run.length < stop) & ~run.done.all()

    def step(run: Run) -> Run:
        run = _with_token(config, run, limit, jax.random.fold_in(key, run.length))
        last = run.length - 1
        ids = jnp.take(run.tokens, last[None], axis=1)
        logits, caches = stepper.run(params, ids, last, run.caches, run.real, given)
        return run._replace(logits=logits.astype(run.logits.dtype), caches=caches)

    return jax.lax.while_loop(unfinished, step, run)


def _with_token(config: GenerationConfig, run: Run, limit: Array, key: Array) -> Run:
    scores = processed(run.logits, run.text, config, limit)
    if config.do_sample:
        chosen = jax.random.categorical(key, warped(scores, config), axis=-1)
    else:
        chosen = jnp.argmax(scores, axis=-1)
    token = jnp.where(run.done, config.pad_token_id, chosen).astype(run.tokens.dtype)
    ends = jnp.isin(token, jnp.array(config.eos_token_id, run.tokens.dtype))
    return run._replace(
        tokens=_put(run.tokens, token, run.length),
        real=_put(run.real, (~run.done).astype(run.real.dtype), run.length),
        length=run.length + 1,
        done=run.done | ends,
    )


class Beams(NamedTuple):
    """Beam search: `run` has a row for each beam of each text, the best first.

    `scores` (texts, beams) are sums of log probabilities; `ended`, `ended_scores` and
    `full` are the best finished texts, (texts, beams, capacity) and (texts, beams).
    """

    run: Run
    scores: Array
    ended: Array
    ended_scores: Array
    full: Array
    open: Array


_NEVER = -1.0e9


def searched(
    stepper: Stepper,
    config: GenerationConfig,
    params: Any,
    given: Mapping[str, Any],
    beams: Beams,
    limit: Array,
) -> Beams:
    """The beams when no text can improve, or at length `limit`."""
    axes = stepper.axes()

    def unfinished(beams: Beams) -> Array:
        more: Array = (beams.run.length < limit) & beams.open.any()
        if config.early_stopping is True:
            more &= ~beams.full.all()
        return more

    def step(beams: Beams) -> Beams:
        beams, rows = _with_tokens(config, beams, limit)
        run = beams.run
        caches = chosen_rows(run.caches, axes, rows)
        last = run.length - 1
        ids = jnp.take(run.tokens, last[None], axis=1)
        logits, caches = stepper.run(params, ids, last, caches, run.real, given)
        run = run._replace(logits=logits.astype(run.logits.dtype), caches=caches)
        return beams._replace(run=run)

    return jax.lax.while_loop(unfinished, step, beams)


def _with_tokens(
    config: GenerationConfig, beams: Beams, limit: Array
) -> tuple[Beams, Array]:
    """The best continuations, and the row that each of them continues."""
    run = beams.run
    texts, count = beams.scores.shape
    likely = jax.nn.log_softmax(run.logits.astype(jnp.float32), axis=-1)
    likely = processed(likely, run.text, config, limit)
    vocab = likely.shape[-1]
    scores = (beams.scores[..., None] + likely.reshape(texts, count, vocab)).reshape(
        texts, count * vocab
    )
    kept = max(2, 1 + len(config.eos_token_id)) * count
    best, at = jax.lax.top_k(scores, min(kept, count * vocab))
    rows = jnp.arange(texts)[:, None] * count + at // vocab
    token = (at % vocab).astype(run.tokens.dtype)
    tokens = jnp.take(run.tokens, rows, axis=0)
    tokens = tokens.at[:, :, run.length].set(token)
    last = run.length + 1 >= limit
    ends = jnp.isin(token, jnp.array(config.eos_token_id, token.dtype)) | last

    length = (run.length + 1 - run.begin).astype(jnp.float32)
    finished = best / length**config.length_penalty
    hopeless = ~beams.open[:, None]
    if config.early_stopping is True:
        hopeless |= beams.full.all(axis=-1, keepdims=True)
    top = jnp.arange(best.shape[1]) < count
    finished += _NEVER * (hopeless | ~(ends & top))
    all_scores = jnp.concatenate([beams.ended_scores, finished], axis=1)
    all_full = jnp.concatenate([beams.full, ends & top], axis=1)
    all_texts = jnp.concatenate([beams.ended, tokens], axis=1)
    ended_scores, order = jax.lax.top_k(all_scores, count)
    full = jnp.take_along_axis(all_full, order, axis=1)
    ended = jnp.take_along_axis(all_texts, order[..., None], axis=1)

    _, order = jax.lax.top_k(best + _NEVER * ends, count)
    scores = jnp.take_along_axis(best + _NEVER * ends, order, axis=1)
    tokens = jnp.take_along_axis(tokens, order[..., None], axis=1)
    rows = jnp.take_along_axis(rows, order, axis=1).reshape(-1)
    real = _put(jnp.take(run.real, rows, axis=0), jnp.ones_like(rows), run.length)
    most = length
    if config.early_stopping == "never" and config.length_penalty > 0:
        most = (limit - run.begin).astype(jnp.float32)
    hope = scores[:, :1] / most**config.length_penalty
    worst = jnp.where(full, ended_scores.min(-1, keepdims=True), _NEVER)
    run = run._replace(
        tokens=tokens.reshape(run.tokens.shape), real=real, length=run.length + 1
    )
    still = beams.open & (hope > worst).any(axis=-1)
    return Beams(run, scores, ended, ended_scores, full, still), rows


def _put(array: Array, column: Array, at: Array) -> Array:
    """`array[:, at] = column`."""
    return jax.lax.dynamic_update_slice_in_dim(
        array, column[:, None].astype(array.dtype), at, axis=1
    )
