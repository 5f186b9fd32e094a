"""What is made of a model's scores before a token is chosen: (rows, vocab) -> the same.

Each follows the processor of transformers that has its name.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from .config import GenerationConfig


class Text(NamedTuple):
    """Texts so far: `tokens` and `real` are (rows, capacity), `length` of them are used,
    `begin` of these were given; padding is not `real`."""

    tokens: Array
    real: Array
    length: Array
    begin: Array


def processed(
    scores: Array, text: Text, config: GenerationConfig, limit: Array
) -> Array:
    """Scores after penalties and bans; `limit` is the length at which texts end."""
    if config.repetition_penalty != 1:
        scores = _penalised(scores, text, config.repetition_penalty)
    if config.no_repeat_ngram_size:
        scores = _without_repeats(scores, text, config.no_repeat_ngram_size)
    new = text.length - text.begin
    if config.min_new_tokens:
        scores = _banned(scores, config.eos_token_id, new < config.min_new_tokens)
    scores = _banned(scores, config.suppress_tokens, jnp.bool_(True))
    scores = _banned(scores, config.begin_suppress_tokens, new == 0)
    scores = _forced(scores, config.forced_bos_token_id, new == 0)
    return _forced(scores, config.forced_eos_token_id, text.length == limit - 1)


def warped(scores: Array, config: GenerationConfig) -> Array:
    """Scores to draw from."""
    if config.temperature != 1:
        scores = scores / config.temperature
    if config.top_k:
        least = jax.lax.top_k(scores, min(config.top_k, scores.shape[-1]))[0][:, -1:]
        scores = jnp.where(scores < least, -jnp.inf, scores)
    if config.top_p < 1:
        ordered = jnp.sort(scores, axis=-1)
        below = jnp.cumsum(jax.nn.softmax(ordered, axis=-1), axis=-1)
        kept = jnp.where(below <= 1 - config.top_p, jnp.inf, ordered)
        kept = kept.at[:, -1].set(ordered[:, -1])
        scores = jnp.where(scores < kept.min(-1, keepdims=True), -jnp.inf, scores)
    if config.min_p:
        likely = jax.nn.softmax(scores, axis=-1)
        least = config.min_p * likely.max(-1, keepdims=True)
        scores = jnp.where(likely < least, -jnp.inf, scores)
    return scores


def _penalised(scores: Array, text: Text, penalty: float) -> Array:
    used = _is_used(text)
    rows = jnp.arange(len(scores))[:, None]
    there = jnp.zeros(scores.shape, bool).at[rows, text.tokens].max(used)
    other = jnp.where(scores < 0, scores * penalty, scores / penalty)
    return jnp.where(there, other, scores)


def _without_repeats(scores: Array, text: Text, size: int) -> Array:
    """Bans what would end a run of `size` tokens that is there already."""
    capacity = text.tokens.shape[1]
    at = jnp.arange(capacity)
    found = _is_used(text)
    for i in range(size - 1):
        # Token `i` of a run, which ends at `at`, is that of the run that ends the text.
        before = jnp.take(text.tokens, at - (size - 1) + i, axis=1, mode="clip")
        own = jnp.take(text.tokens, text.length - (size - 1) + i, axis=1, mode="clip")
        start = jnp.take(text.real, at - (size - 1) + i, axis=1, mode="clip") != 0
        found &= (before == own[:, None]) & start & (at >= size - 1)
    found &= text.length >= size - 1
    rows = jnp.arange(len(scores))[:, None]
    banned = jnp.zeros(scores.shape, bool).at[rows, text.tokens].max(found)
    return jnp.where(banned, -jnp.inf, scores)


def _is_used(text: Text) -> Array:
    used: Array = (text.real != 0) & (jnp.arange(text.tokens.shape[1]) < text.length)
    return used


def _banned(scores: Array, ids: tuple[int, ...], when: Array) -> Array:
    if not ids:
        return scores
    banned = jnp.zeros(scores.shape[-1], bool).at[jnp.array(ids)].set(True, mode="drop")
    return jnp.where(when & banned, -jnp.inf, scores)


def _forced(scores: Array, token: int | None, when: Array) -> Array:
    if token is None:
        return scores
    only = jnp.where(jnp.arange(scores.shape[-1]) == token, 0.0, -jnp.inf)
    return jnp.where(when, only, scores)
