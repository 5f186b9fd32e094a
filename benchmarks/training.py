"""Three trainings in blox, Flax NNX and Equinox, in one run: losses, accuracies, time.

    python benchmarks/training.py [NAME ...] [--minilm FOLDER] [--rounds 60] [--part 1.0]

needs the extra `parity`. The trainings are those of `examples/`: `cnn`, `transformer`,
`lora`. All libraries start from the same numbers, get the same batches, and run under
`jax.jit` in the same step, with the same optimiser and average; modules are pure
functions of their arrays there. So losses differ by the order of sums, and in `cnn` by
what its dropout draws. First each is trained (`--part 0.1`: a tenth of the steps). Then
steps are timed: short turns, in which who goes first changes, and the ratio is the median
over rounds of blox to the peer in the same round; MFLOP and MB of memory are XLA's count of
a compiled step, which no other load of the machine disturbs. `--minilm` has the
checkpoint; without it the encoder is of the same sizes, and random.
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from trainings import with_blox, with_equinox, with_nnx
from trainings.parts import Training
from trainings.with_blox import finetune_lora, train_cnn, train_transformer

import blox as bx

LEAST = 0.03
"""Seconds that a turn of steps takes at least."""
Batch = tuple[tuple[Any, ...], Any]


@dataclass(frozen=True)
class Task:
    """Data and optimiser: `batch(step)` and `test` are inputs and labels."""

    steps: int
    optimizer: Any
    batch: Callable[[int], Batch]
    test: Batch


def digits() -> Task:
    images, labels = train_cnn.data()
    per_epoch, steps = train_cnn.PER_EPOCH, 20 * train_cnn.PER_EPOCH
    rate = optax.warmup_cosine_decay_schedule(0.0, 5e-3, per_epoch // 2, steps // 2)
    optimizer = optax.MultiSteps(optax.adamw(rate, weight_decay=0.01), 2)

    def batch(step: int) -> Batch:
        chosen = train_cnn.batch(step)
        key = jax.random.fold_in(jax.random.key(1), step)
        return (train_cnn.shifted(key, images[chosen]),), labels[chosen]

    tested = slice(train_cnn.SEEN + train_cnn.CHECKED, None)
    return Task(steps, optimizer, batch, ((images[tested],), labels[tested]))


def code() -> Task:
    text, steps = train_transformer.source(), 300
    seen, other = np.split(text, [len(text) * 9 // 10])
    rate = optax.warmup_cosine_decay_schedule(0.0, 5e-3, steps // 10, steps)
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate))

    def rows(text: Any, seed: int) -> Batch:
        drawn = train_transformer.windows(text, np.random.default_rng(seed), 65)
        return (drawn[:, :-1],), drawn[:, 1:]

    return Task(steps, optimizer, lambda step: rows(seen, step), rows(other, 0))


def sentences(encoder: bx.Graph, folder: Path | None) -> Task:
    kinds = list(finetune_lora.TEXTS.values())
    texts = [text for kind in kinds for text in kind]
    ids, mask = finetune_lora.tokenised(folder or Path(), texts, encoder)
    labels = np.repeat(np.arange(len(kinds)), [len(kind) for kind in kinds])
    seen = np.tile(np.arange(len(kinds[0])) < finetune_lora.SEEN, len(kinds))
    optimizer = optax.adamw(optax.cosine_decay_schedule(5e-3, 40))
    train = (ids[seen], mask[seen]), labels[seen]
    return Task(
        40, optimizer, lambda step: train, ((ids[~seen], mask[~seen]), labels[~seen])
    )


def losses(logits: Array, labels: Array) -> Array:
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def stepped(training: Training, optimizer: Any) -> tuple[Any, Any]:
    """The state of a training, and its step, the same for all libraries."""

    def step(state: dict[str, Any], key: Array, batch: Batch) -> tuple[Any, Array]:
        inputs, labels = batch

        def loss(trainable: Any) -> tuple[Array, Any]:
            logits, new = training.predict(trainable, state["rest"], inputs, key)
            return losses(logits, labels), new

        old = state["trainable"]
        (value, rest), grads = jax.value_and_grad(loss, has_aux=True)(old)
        updates, moments = optimizer.update(grads, state["moments"], old)
        trainable = optax.apply_updates(old, updates)
        average = optax.incremental_update(trainable, state["average"], 0.01)
        return {
            "trainable": trainable,
            "rest": rest,
            "moments": moments,
            "average": average,
        }, value

    start = training.trainable
    state = {"trainable": start, "rest": training.rest, "average": start}
    return state | {"moments": optimizer.init(start)}, jax.jit(step)


def trained(training: Training, task: Task, steps: int) -> tuple[float, float, float]:
    """(loss at the first step, loss of the test, its accuracy) after so many steps."""
    state, step = stepped(training, task.optimizer)
    first = None
    for i in range(steps):
        key = jax.random.fold_in(jax.random.key(0), i)
        state, value = step(state, key, task.batch(i))
        first = float(value) if first is None else first
    inputs, labels = task.test
    logits, _ = jax.jit(lambda t, r: training.predict(t, r, inputs, None))(
        state["trainable"], state["rest"]
    )
    right = float(jnp.mean(logits.argmax(-1) == labels))
    return first or 0.0, float(losses(logits, labels)), right


def compiled(training: Training, task: Task) -> tuple[Any, Any]:
    """The state of a training, and its step for batches such as the first."""
    state, step = stepped(training, task.optimizer)
    return state, step.lower(state, jax.random.key(0), task.batch(0)).compile()


def turns(
    ways: dict[str, tuple[Any, Any]],
    task: Task,
    rounds: int,
    clock: Callable[[], float],
) -> Iterator[dict[str, float]]:
    """Seconds of a step of each, round by round; who goes first changes."""
    batch, key = jax.block_until_ready(jax.device_put(task.batch(0))), jax.random.key(0)

    def turn(name: str, count: int) -> float:
        state, step = ways[name]
        gc.collect()
        gc.disable()
        start = clock()
        for _ in range(count):
            state, _ = step(state, key, batch)
        jax.block_until_ready(state)
        took = clock() - start
        gc.enable()
        ways[name] = state, step
        return took / count

    once = min(turn(name, 1) for name in ways for _ in range(3))
    count = max(1, round(LEAST / once))
    names = list(ways)
    for i in range(rounds):
        order = names[i % len(names) :] + names[: i % len(names)]
        yield {name: turn(name, count) for name in order}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="by default all")
    parser.add_argument("--minilm", type=Path, help="folder of the checkpoint")
    parser.add_argument("--rounds", type=int, default=60, help="of timed steps")
    parser.add_argument("--part", type=float, default=1.0, help="of the steps trained")
    parser.add_argument(
        "--wall", action="store_true", help="the clock, not the process"
    )
    options = parser.parse_args()
    clock = time.perf_counter if options.wall else time.process_time
    titles = f"{'first':>8} {'test':>8} {'right':>6} {'step':>9} {'blox to it':>10}"
    print(f"{'':12} {'':8} {titles} {'MFLOP':>8} {'MB':>7}")
    for name in options.names or ["cnn", "transformer", "lora"]:
        graph, params = with_blox.params(name, options.minilm)
        if name == "lora":
            task = sentences(with_blox.encoder(options.minilm)[0], options.minilm)
        else:
            task = digits() if name == "cnn" else code()
        trainings = {
            "blox": with_blox.training(graph, params),
            "NNX": with_nnx.training(name, params),
            "Equinox": with_equinox.training(name, params),
        }
        steps = max(1, round(task.steps * options.part))
        found = {n: trained(t, task, steps) for n, t in trainings.items()}
        ways = {n: compiled(t, task) for n, t in trainings.items()}
        took = list(turns(dict(ways), task, options.rounds, clock))
        for library, (first, test, right) in found.items():
            cost = ways[library][1].cost_analysis()
            median = statistics.median(t[library] for t in took)
            ratio = statistics.median(t["blox"] / t[library] for t in took)
            print(
                f"{name:12} {library:8} {first:8.4f} {test:8.4f} {right:6.1%} "
                f"{1e3 * median:6.2f} ms {ratio:10.3f} {cost['flops'] / 1e6:8.2f} "
                f"{cost['bytes accessed'] / 1e6:7.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
