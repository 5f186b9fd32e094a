"""Compiling and stepping: blox beside raw JAX, Equinox and Flax NNX, in one run.

    python benchmarks/peers.py [MODEL ...] [--rounds 15] [--compiles 3] [--core 0] [--wall]

needs the extra `parity`. The models, in `benchmarks/peer_models`: transformers, unrolled and
scanned, attention, a convolutional net, pools, recurrent layers, norms. Each is loaded by blox,
is the file that blox generates, is written by hand in JAX, and is made of the layers of Equinox
and of NNX: pure functions of their arrays under `jax.jit`. Measured are the first call
(tracing, compiling, one step) and a step, forward and `value_and_grad` of all arrays and the
input. They take turns, and who goes first changes; the best of the three peers is that of the
least median of process time (of the clock with `--wall`), ratios are medians of those to it in
the same round. `--core` keeps to one core and one thread, for a machine that others use too.
Norms of NNX take the variance in two passes here, as all others do; the last column has them as
they are by default, in one.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
from peer_models import with_blox, with_equinox, with_jax, with_nnx
from peer_models.sizes import Model

import blox as bx

PEERS = {
    "raw JAX": with_jax.MODELS,
    "Equinox": with_equinox.MODELS,
    "NNX": with_nnx.MODELS,
}
LEAST = 0.02
"""Seconds that a turn of steps takes at least."""


def executed(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "generated"}
    exec(compile(source, "generated", "exec"), names)
    return names


def models(name: str) -> Iterator[tuple[str, Model]]:
    """The model in blox, twice, and in the peers."""
    graph = with_blox.GRAPHS[name]()
    params = bx.init(graph, jax.random.key(0))
    shape = tuple(graph.functions["main"].inputs["x"].shape)
    file = executed(bx.generate(graph))[graph.name]
    if name == "batch_norm":
        file = partial(file, train=True)
    yield "blox", Model(bx.build(graph, train=True), params, shape)
    yield "generated", Model(file, params, shape)
    for title, made in PEERS.items():
        yield title, made[name]()
    if name in with_nnx.FAST:
        yield "NNX fast", with_nnx.FAST[name]()


def forward(model: Model) -> Callable[..., Any]:
    return lambda params, x: model.function(params, x)


def gradient(model: Model) -> Callable[..., Any]:
    def loss(params: Any, x: Any) -> Any:
        found = model.function(params, x)
        y, state = found if isinstance(found, tuple) else (found, ())
        return jnp.sum(jnp.square(y)), state

    return jax.value_and_grad(loss, (0, 1), has_aux=True, allow_int=True)


Times = list[list[float]]
"""Seconds of each way, in each round."""


def turns(ways: list[Callable[[], float]], rounds: int) -> Times:
    """The seconds of each way in rounds in which who goes first changes."""
    times: Times = [[] for _ in ways]
    for turn in range(rounds):
        for i in range(len(ways)):
            place = (i + turn) % len(ways)
            times[place].append(ways[place]())
    return times


def ratios(times: Times) -> tuple[list[float], float]:
    """Of each way to the best of the peers, and the seconds of that."""
    best = min(times[2 : 2 + len(PEERS)], key=statistics.median)
    found = [
        statistics.median(a / b for a, b in zip(own, best, strict=True))
        for own in times
    ]
    return found, statistics.median(best)


def seconds(run: Callable[[], Any], clock: Callable[[], float]) -> float:
    gc.collect()
    gc.disable()
    start = clock()
    jax.block_until_ready(run())
    took = clock() - start
    gc.enable()
    return took


def first_calls(
    made: list[Callable[[], Callable[..., Any]]],
    given: list[tuple[Any, Any]],
    rounds: int,
    clock: Callable[[], float],
) -> Times:
    """Seconds of the first call of each, with nothing in JAX's caches."""

    def way(i: int) -> float:
        jax.clear_caches()
        function = jax.jit(made[i]())
        return seconds(lambda: function(*given[i]), clock)

    way(0)  # The first in a process takes longer.
    return turns([partial(way, i) for i in range(len(made))], rounds)


def steps(
    made: list[Callable[[], Callable[..., Any]]],
    given: list[tuple[Any, Any]],
    rounds: int,
    clock: Callable[[], float],
) -> Times:
    """Seconds of a step of each, warm."""
    functions = [jax.jit(make()) for make in made]
    counts = []
    for function, arguments in zip(functions, given, strict=True):
        jax.block_until_ready(function(*arguments))
        once = min(seconds(lambda: function(*arguments), clock) for _ in range(3))  # noqa: B023
        counts.append(max(1, round(LEAST / max(once, 1e-6))))

    def way(i: int) -> float:
        def run() -> None:
            for _ in range(counts[i]):
                jax.block_until_ready(functions[i](*given[i]))

        return seconds(run, clock) / counts[i]

    return turns([partial(way, i) for i in range(len(made))], rounds)


def rows(name: str, options: argparse.Namespace) -> Iterator[tuple[str, Times]]:
    """What is measured of a model, and its seconds."""
    clock = time.perf_counter if options.wall else time.process_time
    found = dict(models(name))
    given = [
        (m.params, jax.random.normal(jax.random.key(1), m.shape))
        for m in found.values()
    ]
    for what, of in (("forward", forward), ("gradient", gradient)):
        made = [partial(of, m) for m in found.values()]
        yield f"first {what}", first_calls(made, given, options.compiles, clock)
        yield what, steps(made, given, options.rounds, clock)


def keep_to(core: int) -> None:
    """One core and one thread, before JAX has computed anything."""
    os.sched_setaffinity(0, {core})
    one = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {one}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("models", nargs="*", metavar="MODEL", help="by default all")
    parser.add_argument("--rounds", type=int, default=15, help="of steps")
    parser.add_argument("--compiles", type=int, default=3, help="rounds of first calls")
    parser.add_argument(
        "--wall", action="store_true", help="the clock, not the process"
    )
    parser.add_argument("--core", type=int, help="that is used, of one thread")
    options = parser.parse_args()
    if options.core is not None:
        keep_to(options.core)
    titles = ["blox", "generated", *PEERS, "best", "NNX fast"]
    print(f"{'':24} {'':14} " + " ".join(f"{t:>11}" for t in titles))
    for name in with_blox.GRAPHS:
        if options.models and not any(m in name for m in options.models):
            continue
        for what, times in rows(name, options):
            found, best = ratios(times)
            cells = [f"{r:11.2f}" for r in found]
            cells.insert(2 + len(PEERS), f"{1e3 * best:8.2f} ms")
            print(f"{name:24} {what:14} {' '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
