"""Times of the tagger in all four, in turns in one process, as ratios to the fastest.

A call by the way of each library gives it the model (`eqx.filter_jit`, `nnx.jit`, or
`jax.jit` of a function of the arrays); then the arrays alone go through `jax.jit`
(`eqx.partition`, `nnx.split`). A first step traces, compiles and runs, with nothing in
JAX's caches. Figures are medians of process time over rounds in which who goes first
changes.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from importlib import import_module
from time import process_time
from typing import Any

import jax
import jax.numpy as jnp
from peers import seconds, turns
from points import LIBRARIES

LEAST = 0.05
"""Seconds that a turn takes at least."""
LARGE = {"width": 128, "depth": 4}
SMALL: dict[str, int] = {}
KEY = jax.random.key(0)


def tokens(batch: int, time: int) -> jax.Array:
    return jnp.arange(batch * time).reshape(batch, time) * 7 % 31


def call(module: Any, how: str, given: jax.Array) -> Callable[[], Any]:
    run = getattr(module, how, module.evaluation)(**SMALL)
    return lambda: run(given)


def step(module: Any, sizes: dict[str, int], given: jax.Array) -> Callable[[], Any]:
    """A step of training, whose result the next one goes on from."""
    carry, one = module.training(**sizes)

    def run() -> Any:
        nonlocal carry
        carry = module.stepped(one, carry, given, KEY)
        return jax.tree.leaves(carry)[:1]

    return run


def medians(ways: list[Callable[[], float]], rounds: int) -> list[float]:
    return [statistics.median(times) for times in turns(ways, rounds)]


def warm(runs: list[Callable[[], Any]], rounds: int) -> list[float]:
    """Seconds of each."""
    counts = []
    for run in runs:
        jax.block_until_ready(run())
        once = min(seconds(run, process_time) for _ in range(5))
        counts.append(max(1, round(LEAST / max(once, 1e-6))))

    def way(i: int) -> float:
        def several() -> None:
            for _ in range(counts[i]):
                jax.block_until_ready(runs[i]())

        return seconds(several, process_time) / counts[i]

    return medians([partial(way, i) for i in range(len(runs))], rounds)


def cold(modules: list[Any], rounds: int) -> list[float]:
    """Seconds of the first step of each."""

    def way(module: Any) -> float:
        jax.clear_caches()
        run = step(module, LARGE, tokens(16, 64))
        return seconds(run, process_time)

    return medians([partial(way, module) for module in modules], rounds)


def measured() -> dict[str, dict[str, float]]:
    """What was measured -> library -> ratio to the fastest."""
    modules = [import_module(f"with_{library}") for library in LIBRARIES]
    few, small, large = tokens(1, 8), tokens(4, 8), tokens(16, 64)
    found = {
        "a call of one sequence, its own way": warm(
            [call(m, "evaluation", few) for m in modules], 15
        ),
        "the same, with `nnx.jit(graph=False)`": warm(
            [call(m, "evaluation_of_trees", few) for m in modules], 15
        ),
        "the same, by `jax.jit` of the arrays": warm(
            [call(m, "evaluation_of_arrays", few) for m in modules], 15
        ),
        "a training step, 2 blocks of width 32": warm(
            [step(m, SMALL, small) for m in modules], 15
        ),
        "a training step, 4 blocks of width 128": warm(
            [step(m, LARGE, large) for m in modules], 9
        ),
        "its first, which compiles it": cold(modules, 3),
    }
    return {
        what: {
            library: round(time / min(times), 2)
            for library, time in zip(LIBRARIES, times, strict=True)
        }
        for what, times in found.items()
    }
