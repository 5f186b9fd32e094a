"""Run by `test_killed_training.py`: a small training that saves after each step.

    python killed_training.py --output FOLDER

The model has running statistics and dropout, its optimiser accumulates, its weights are
averaged, and the data come from a generator. Where checkpoints are, it goes on.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import blox as bx

STEPS = 40


def model() -> bx.Graph:
    b = bx.GraphBuilder("small", width=8)

    @b.entry(x=bx.Input(["batch", b.width]), key=bx.Input([], "key", optional=True))
    def main(f: bx.F, x: bx.Value, key: bx.Value) -> bx.Value:
        h = f.relu(f.batch_norm("norm", f.linear("up", x, 4 * b.width)))
        return f.linear("down", f.dropout("drop", h, 0.2, key=key), 1)

    return b.graph()


@cache
def pieces() -> tuple[bx.Graph, optax.MultiSteps, Any]:
    """The Graph, the optimiser, and a step, which is compiled once."""
    graph = model()
    function = bx.build(graph, train=True)
    optimizer = optax.MultiSteps(optax.adam(1e-2), 3)

    @jax.jit
    def update(state: dict[str, Any], step: int, x: Any) -> tuple[Any, jax.Array]:
        def loss(trainable: Any) -> tuple[jax.Array, Any]:
            key = jax.random.fold_in(state["key"], step)
            y, new = function(bx.merge(trainable, state["rest"]), x, key)
            return jnp.mean(jnp.square(y - x[:, :1])), new

        (value, new), grads = jax.value_and_grad(loss, has_aux=True)(state["trainable"])
        updates, moments = optimizer.update(grads, state["moments"], state["trainable"])
        trainable = optax.apply_updates(state["trainable"], updates)
        return {
            "trainable": trainable,
            "rest": bx.merge(state["rest"], new),
            "moments": moments,
            "average": optax.incremental_update(trainable, state["average"], 0.1),
            "key": state["key"],
        }, value

    return graph, optimizer, update


def train(folder: Path, steps: int, stop: int | None = None) -> tuple[Any, list[float]]:
    """Params and losses after `steps`; it fails at the step `stop`, if there is one."""
    graph, optimizer, update = pieces()
    trainable, rest = bx.split(graph, bx.init(graph, jax.random.key(0)))
    state = {
        "trainable": trainable,
        "rest": rest,
        "moments": optimizer.init(trainable),
        "average": trainable,
        "key": jax.random.key(1),
    }
    draw = np.random.default_rng(0)
    record: dict[str, Any] = {"losses": [], "draw": draw.bit_generator.state}
    with bx.Checkpoints(folder / "checkpoints", graph) as checkpoints:
        start, state, record = checkpoints.restore(state, record)
        draw.bit_generator.state = record["draw"]
        for step in range(start, steps):
            if step == stop:
                raise KeyboardInterrupt
            x = draw.normal(size=(4, 8)).astype("float32")
            state, value = update(state, step, x)
            record["losses"].append(float(value))
            record["draw"] = draw.bit_generator.state
            checkpoints.save(step + 1, state, record)
    params = bx.merge(state["average"], state["rest"])
    bx.save(folder / "model", graph, params)
    return params, record["losses"]


if __name__ == "__main__":
    train(Path(sys.argv[sys.argv.index("--output") + 1]), STEPS)
